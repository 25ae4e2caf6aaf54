package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/butakero/butakero/internal/jobs"
)

// depthFor is how long an answer of the brokers is good for.
const depthFor = time.Second

// depthCache keeps the last answer; who asks meanwhile waits for the same one.
type depthCache struct {
	mu  sync.Mutex
	at  time.Time
	lag map[int32]int64
}

// Depth implements jobs.Queue: Visible is the group's lag, which is the backlog
// of jobs that nobody has claimed. Offsets are committed once a second, so it may
// be that old. The rest Kafka can not tell.
func (q *Queue) Depth(ctx context.Context) (jobs.Depth, error) {
	lag, err := q.Lag(ctx)
	if err != nil {
		return jobs.Depth{}, err
	}
	d := jobs.Depth{InFlight: -1, Delayed: -1}
	for _, n := range lag {
		d.Visible += n
	}
	return d, nil
}

// Lag returns how many messages of each partition the group has not committed
// yet; all of them where it never did.
func (q *Queue) Lag(ctx context.Context) (map[int32]int64, error) {
	q.mu.Lock()
	err := q.refusal(ctx)
	q.mu.Unlock()
	if err != nil {
		return nil, err
	}
	var lag map[int32]int64
	err = within(ctx, func() error {
		q.depth.mu.Lock()
		defer q.depth.mu.Unlock()
		if time.Since(q.depth.at) >= depthFor {
			fresh, err := q.askLag()
			for tries := 1; err != nil && tries < 3 && ctx.Err() == nil; tries++ {
				pause(ctx, 100*time.Millisecond) // a leader or coordinator has just moved
				fresh, err = q.askLag()
			}
			if err != nil {
				return unavailable(err)
			}
			q.depth.lag, q.depth.at = fresh, time.Now()
		}
		lag = q.depth.lag
		return nil
	})
	if err != nil {
		return nil, err
	}
	copied := make(map[int32]int64, len(lag))
	for p, n := range lag {
		copied[p] = n
	}
	return copied, nil
}

func (q *Queue) askLag() (map[int32]int64, error) {
	partitions, err := q.client.Partitions(q.options.JobsTopic)
	if err != nil {
		return nil, err
	}
	committed, err := q.committed(partitions)
	if err != nil {
		return nil, err
	}
	newest, err := q.offsets(partitions, sarama.OffsetNewest)
	if err != nil {
		return nil, err
	}
	oldest, err := q.offsets(partitions, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	lag := make(map[int32]int64, len(partitions))
	for _, p := range partitions {
		from := committed[p]
		if from < oldest[p] || from > newest[p] { // none, or one that is not there any more
			from = oldest[p]
		}
		lag[p] = newest[p] - from
	}
	return lag, nil
}

// committed asks for the group's offsets; -1 where there is none.
func (q *Queue) committed(partitions []int32) (map[int32]int64, error) {
	coordinator, err := q.client.Coordinator(q.options.Group)
	if err != nil {
		return nil, err
	}
	request := sarama.NewOffsetFetchRequest(q.client.Config().Version, q.options.Group, map[string][]int32{q.options.JobsTopic: partitions})
	response, err := coordinator.FetchOffset(request)
	if err == nil && !errors.Is(response.Err, sarama.ErrNoError) {
		err = response.Err
	}
	offsets := make(map[int32]int64, len(partitions))
	for _, p := range partitions {
		if err != nil {
			break
		}
		block := response.GetBlock(q.options.JobsTopic, p)
		switch {
		case block == nil:
			err = sarama.ErrIncompleteResponse
		case !errors.Is(block.Err, sarama.ErrNoError):
			err = block.Err
		default:
			offsets[p] = block.Offset
		}
	}
	if err != nil { // the next one who asks looks for the coordinator again
		_ = q.client.RefreshCoordinator(q.options.Group)
		return nil, fmt.Errorf("offsets of the group: %w", err)
	}
	return offsets, nil
}

// offsets asks each leader once for its partitions' oldest or newest offsets.
func (q *Queue) offsets(partitions []int32, which int64) (map[int32]int64, error) {
	requests := map[*sarama.Broker]*sarama.OffsetRequest{}
	leads := map[int32]*sarama.Broker{}
	for _, p := range partitions {
		leader, err := q.client.Leader(q.options.JobsTopic, p)
		if err != nil {
			return nil, err
		}
		if requests[leader] == nil {
			requests[leader] = sarama.NewOffsetRequest(q.client.Config().Version)
		}
		requests[leader].AddBlock(q.options.JobsTopic, p, which, 1)
		leads[p] = leader
	}
	offsets := make(map[int32]int64, len(partitions))
	for leader, request := range requests {
		response, err := leader.GetAvailableOffsets(request)
		if err != nil {
			_ = leader.Close() // it is opened again when it is needed
		}
		for _, p := range partitions {
			if err != nil {
				break
			}
			if leads[p] != leader {
				continue
			}
			block := response.GetBlock(q.options.JobsTopic, p)
			switch {
			case block == nil:
				err = sarama.ErrIncompleteResponse
			case !errors.Is(block.Err, sarama.ErrNoError):
				err = block.Err
			case len(block.Offsets) == 1:
				offsets[p] = block.Offsets[0]
			default:
				offsets[p] = block.Offset
			}
		}
		if err != nil {
			_ = q.client.RefreshMetadata(q.options.JobsTopic)
			return nil, fmt.Errorf("offsets of the topic: %w", err)
		}
	}
	return offsets, nil
}
