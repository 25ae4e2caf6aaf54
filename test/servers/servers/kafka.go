package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kafka is Apache Kafka in KRaft mode: one node that is broker and controller.
func kafka() *engine {
	return &engine{
		name:  "kafka",
		ports: 3, // clients, controller, itself
		install: func(ctx context.Context) (string, error) {
			// Without a binding of this generation of SLF4J the broker says nothing, and
			// never that it is ready.
			return maven(ctx, "kafka-4.3.1", []string{"org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"}, formatKafka)
		},
		prepare: func(s *Server) error {
			if err := os.CopyFS(s.data(), os.DirFS(filepath.Join(s.program, "formatted"))); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(s.folder, "server.properties"), []byte(kafkaProperties(s.data(), s.ports, s.options.advertised)), 0o644)
		},
		command: func(s *Server) *exec.Cmd {
			return java(s.program, []string{"-Xms128m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"}, "kafka.Kafka", "server.properties")
		},
		ready: func(_ context.Context, s *Server) error {
			if !bytes.Contains(s.said(), []byte("Kafka Server started")) {
				return errors.New("it has not said that it started")
			}
			return nil
		},
		address:     func(s *Server) string { return local(s.ports[0]) },
		environment: func(address string) []string { return []string{"BUTAKERO_TEST_KAFKA_BROKERS=" + address} },
	}
}

// formatKafka makes the data folder that new brokers start from: it does not depend
// on ports, and making it takes a second.
func formatKafka(ctx context.Context, stage string) error {
	data := filepath.Join(stage, "formatted")
	settings := filepath.Join(stage, "format.properties")
	if err := os.WriteFile(settings, []byte(kafkaProperties(data, []int{1, 2, 3}, "")), 0o644); err != nil {
		return err
	}
	cmd := java(stage, []string{"-Xmx128m"}, "kafka.tools.StorageTool", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config", settings)
	return run(ctx, stage, nil, cmd.Path, cmd.Args[1:]...)
}

// kafkaProperties are a broker's settings. Its own traffic has a listener apart, so
// that a proxy in front of the clients' does not stand between the broker and itself.
func kafkaProperties(data string, port []int, advertised string) string {
	if advertised == "" {
		advertised = local(port[0])
	}
	return strings.Join([]string{
		"process.roles=broker,controller",
		"node.id=1",
		"controller.quorum.voters=1@" + local(port[1]),
		fmt.Sprintf("listeners=PLAINTEXT://%s,CONTROLLER://%s,ITSELF://%s", local(port[0]), local(port[1]), local(port[2])),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s,ITSELF://%s", advertised, local(port[2])),
		"controller.listener.names=CONTROLLER",
		"inter.broker.listener.name=ITSELF",
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,ITSELF:PLAINTEXT",
		"log.dirs=" + data,
		"auto.create.topics.enable=false",
		// One node: nothing can be replicated.
		"default.replication.factor=1",
		"offsets.topic.replication.factor=1",
		"transaction.state.log.replication.factor=1",
		"transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1",
		"share.coordinator.state.topic.min.isr=1",
		// Small and quick.
		"offsets.topic.num.partitions=4",
		"transaction.state.log.num.partitions=1",
		"share.coordinator.state.topic.num.partitions=1",
		"num.network.threads=2",
		"num.io.threads=2",
		"log.cleaner.dedupe.buffer.size=8388608",
		"group.initial.rebalance.delay.ms=0",
		"group.min.session.timeout.ms=1000",
		"controlled.shutdown.enable=false",
		// A restart on the same data waits until the registration of before is over.
		"broker.session.timeout.ms=2000",
		"broker.heartbeat.interval.ms=500",
	}, "\n") + "\n"
}
