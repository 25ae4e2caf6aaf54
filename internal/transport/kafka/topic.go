package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// checkTopic fails when the topic is missing and may not be made, and warns of
// what would cost messages or concurrency later.
func checkTopic(ctx context.Context, client sarama.Client, topic string, o Options) error {
	return within(ctx, func() error {
		err := client.RefreshMetadata(topic)
		if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			if !o.CreateResources {
				return fmt.Errorf("%w: %q. Create it (kafka-topics.sh --create --topic %s --partitions %d --replication-factor 3 --config min.insync.replicas=2), or let Butakero do so with BUTAKERO_CREATE_RESOURCES=true",
					ErrNoTopic, topic, topic, o.Partitions)
			}
			err = createTopic(ctx, client, topic, o)
		}
		if err != nil {
			return unavailable(fmt.Errorf("topic %s: %w", topic, err))
		}
		warnOfTopic(client, topic, o.Log)
		return nil
	})
}

func createTopic(ctx context.Context, client sarama.Client, topic string, o Options) error {
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	replicas := int16(-1) // the brokers' default
	if o.ReplicationFactor > 0 {
		replicas = int16(o.ReplicationFactor)
	}
	// The admin is not closed: that would close the client.
	err = admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(o.Partitions), ReplicationFactor: replicas}, false)
	if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) { // somebody else was quicker
		return fmt.Errorf("create: %w", err)
	}
	o.Log.Info("the topic was created", "topic", topic, "partitions", o.Partitions)
	// Brokers learn of a new topic one after the other, and its leaders are elected.
	for range 50 {
		if err = ledTopic(client, topic, o.Partitions); err == nil {
			break
		}
		pause(ctx, 50*time.Millisecond)
	}
	return err
}

func ledTopic(client sarama.Client, topic string, partitions int) error {
	if err := client.RefreshMetadata(topic); err != nil {
		return err
	}
	led, err := client.WritablePartitions(topic)
	if err == nil && len(led) < partitions {
		return sarama.ErrLeaderNotAvailable
	}
	return err
}

func warnOfTopic(client sarama.Client, topic string, log *slog.Logger) {
	partitions, err := client.Partitions(topic)
	if err != nil {
		return
	}
	if len(partitions) < 2 {
		log.Warn("the topic has one partition: only one worker at a time can receive", "topic", topic)
	}
	if replicas, err := client.Replicas(topic, partitions[0]); err == nil && len(replicas) < 2 {
		log.Warn("the topic has one replica: a broker that is lost takes its messages along", "topic", topic)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return
	}
	// Not everybody may ask: then nothing is said.
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"min.insync.replicas"},
	}}, sarama.DescribeConfigsOptions{})
	if err != nil || len(results) != 1 || results[0].ErrorCode != sarama.ErrNoError {
		return
	}
	for _, e := range results[0].Configs {
		if n, err := strconv.Atoi(e.Value); err == nil && e.Name == "min.insync.replicas" && n < 2 {
			log.Warn("min.insync.replicas is below 2: a message may be confirmed by one broker alone", "topic", topic)
		}
	}
}

// within runs f, which can not be cancelled, and waits for it no longer than
// ctx lasts. The client's own time limits end it.
func within(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}
