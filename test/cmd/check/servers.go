package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/butakero/butakero/test/servers/servers"
)

// startServers starts the real engines once for all steps; the steps after it find
// them by the environment. One that can not be had fails the run by name, and its
// tests fail too.
func (r *runner) startServers(ctx context.Context, cache string) (o outcome, end func() error) {
	o = outcome{name: "servers"}
	begun := time.Now()
	r.environment = []string{}
	fmt.Fprintln(r.out, "servers: starting Kafka, ElasticMQ, dynalite, mongod and MinIO (the first time they are downloaded and built)")
	if err := os.Setenv("BUTAKERO_TEST_CACHE", cache); err != nil {
		o.failed, o.reason = true, err.Error()
		return o, func() error { return nil }
	}
	environment, end, err := servers.Run(ctx, servers.Names())
	o.took = time.Since(begun)
	if err != nil {
		fmt.Fprintln(r.out, "servers:", err)
		o.failed, o.reason = true, err.Error()
		return o, func() error { return nil }
	}
	r.environment = environment
	return o, end
}
