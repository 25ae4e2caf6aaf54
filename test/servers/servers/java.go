package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const mavenPlugin = "2.8"

// quick are the flags with which a Java server is up soonest.
var quick = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"}

// java is the line of a Java program out of a folder of jars.
func java(program string, flags []string, main string, arguments ...string) *exec.Cmd {
	line := append(append([]string{}, flags...), quick...)
	line = append(line, "-cp", filepath.Join(program, "lib", "*"), main)
	return exec.Command("java", append(line, arguments...)...)
}

// maven fills a cache entry with the jars of some artifacts, as group:artifact:version,
// and all they need. Versions are fixed: a range would fetch every version's description.
func maven(ctx context.Context, name string, artifacts []string, finish func(ctx context.Context, stage string) error) (string, error) {
	if _, err := need(ctx, "java", "default-jre-headless"); err != nil {
		return "", err
	}
	pom := project(artifacts)
	return fill(ctx, name+"-"+hash(pom), func(ctx context.Context, stage string) error {
		mvn, err := need(ctx, "mvn", "maven")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(stage, "pom.xml"), []byte(pom), 0o644); err != nil {
			return err
		}
		err = run(ctx, stage, nil, mvn, "-B", "-q", "-ntp", "-f", "pom.xml",
			"org.apache.maven.plugins:maven-dependency-plugin:"+mavenPlugin+":copy-dependencies",
			"-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(stage, "lib"))
		if err != nil || finish == nil {
			return err
		}
		return finish(ctx, stage)
	})
}

func project(artifacts []string) string {
	var b strings.Builder
	b.WriteString("<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>butakero.test</groupId>\n" +
		"  <artifactId>servers</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  <dependencies>\n")
	for _, a := range artifacts {
		part := strings.Split(a, ":")
		fmt.Fprintf(&b, "    <dependency><groupId>%s</groupId><artifactId>%s</artifactId><version>%s</version></dependency>\n", part[0], part[1], part[2])
	}
	b.WriteString("  </dependencies>\n</project>\n")
	return b.String()
}
