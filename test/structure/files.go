package structure

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// How long files may be, in lines.
const (
	longestMain = 59
	longestFile = 500
	longFile    = 400 // worth a warning
)

var (
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	// Folders of one person or one machine.
	machinePaths = regexp.MustCompile(`(^|[^A-Za-z0-9_.~}*:/-])/(root|home/[a-z]+|Users/[A-Za-z]+|work|workspace|mnt)/[A-Za-z0-9_.-]`)
)

// documented is a value in the documentation of the system whose place
// Butakero takes; it stands in tests that hold us to it.
var documented = []byte("/root/yt-cookies.txt")

// File finds what is wrong with one file, and what is worth a warning.
func File(s Source) (found, warnings []string) {
	if at := machinePaths.Find(bytes.ReplaceAll(s.Text, documented, nil)); at != nil {
		found = append(found, fmt.Sprintf("%s: a path of one machine: %q", s.Name, bytes.TrimSpace(at)))
	}
	if path.Ext(s.Name) != ".go" {
		return found, nil
	}
	lines := bytes.Count(s.Text, []byte("\n"))
	switch {
	case strings.HasPrefix(s.Name, "cmd/") && path.Base(s.Name) == "main.go" && lines > longestMain:
		found = append(found, fmt.Sprintf("%s: a main of %d lines, %d at most", s.Name, lines, longestMain))
	case generated.Match(s.Text):
	case lines > longestFile:
		found = append(found, fmt.Sprintf("%s: %d lines, %d at most", s.Name, lines, longestFile))
	case lines > longFile:
		warnings = append(warnings, fmt.Sprintf("%s: %d lines, better under %d", s.Name, lines, longFile))
	}
	if strings.HasSuffix(s.Name, "_test.go") || LayerOf(Module+"/"+path.Dir(s.Name)) == Suite {
		found = append(found, sleeps(s)...)
	}
	return found, warnings
}

// sleeps finds waiting for a fixed time in tests: time.Sleep under whatever name
// the package has and, outside loops that poll, cases that give up and bubbles of
// testing/synctest, receiving from a timer as a statement, which is the same.
func sleeps(s Source) (found []string) {
	names, file := imports(s)
	name := names["time"]
	if file == nil || name == "" {
		return nil
	}
	_, bubble := names["testing/synctest"]
	var fine []ast.Node // where a timer may be received from
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			fine = append(fine, n)
		case *ast.CommClause:
			if n.Comm != nil { // a case that gives up
				fine = append(fine, n.Comm)
			}
		case *ast.SelectorExpr:
			if selected(n, name) == "Sleep" {
				found = append(found, s.Name+": a test sleeps")
			}
		case *ast.ExprStmt:
			if !bubble && fromTimer(n.X, name) && !inside(fine, n) {
				found = append(found, s.Name+": a test sleeps, by a timer")
			}
		}
		return true
	})
	return found
}

// fromTimer recognises <-time.After(d), <-time.Tick(d) and <-time.NewTimer(d).C.
func fromTimer(e ast.Expr, name string) bool {
	receive, ok := e.(*ast.UnaryExpr)
	if !ok || receive.Op != token.ARROW {
		return false
	}
	x := receive.X
	if c, ok := x.(*ast.SelectorExpr); ok && c.Sel.Name == "C" {
		x = c.X
	}
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch selected(call.Fun, name) {
	case "After", "Tick", "NewTimer", "NewTicker":
		return true
	}
	return false
}

func inside(outer []ast.Node, n ast.Node) bool {
	for _, o := range outer {
		if o.Pos() <= n.Pos() && n.End() <= o.End() {
			return true
		}
	}
	return false
}
