package structure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Source is a file of the project: its path below the root, with slashes, and
// its content.
type Source struct {
	Name string
	Text []byte
}

// Adapters finds adapters that the registry does not import or that no test holds
// to its family's suite. Such a test lies in the adapter's folder or, where it
// needs a real server, in the test module; there it imports the adapter as well.
// It returns also how many adapters there are.
func Adapters(all []Package, registry Source, tests []Source) (found []string, count int) {
	registered, _ := imports(registry)
	for _, p := range all {
		if LayerOf(p.ImportPath) != Adapter || Module+"/"+adapterOf(p.ImportPath) != p.ImportPath {
			continue
		}
		count++
		if _, ok := registered[p.ImportPath]; !ok {
			found = append(found, fmt.Sprintf("%s is not in %s", p.ImportPath, registry.Name))
		}
		folder := strings.TrimPrefix(p.ImportPath, Module+"/")
		family := strings.Split(folder, "/")[1]
		suite := Module + "/internal/" + family + "/" + Suites[family]
		held := slices.ContainsFunc(tests, func(s Source) bool {
			if !strings.HasPrefix(s.Name, folder+"/") && !strings.HasPrefix(s.Name, "test/") {
				return false
			}
			names, file := imports(s)
			if _, ok := names[p.ImportPath]; !ok && strings.HasPrefix(s.Name, "test/") {
				return false
			}
			return file != nil && calls(file, names[suite])
		})
		if !held {
			found = append(found, fmt.Sprintf("%s: no test of it calls %s", p.ImportPath, Suites[family]))
		}
	}
	return found, count
}

// imports gives the local names of what a file imports; no file if it is no Go.
func imports(s Source) (map[string]string, *ast.File) {
	file, err := parser.ParseFile(token.NewFileSet(), s.Name, s.Text, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil
	}
	names := map[string]string{}
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		names[path] = path[strings.LastIndex(path, "/")+1:]
		if i.Name != nil {
			names[path] = i.Name.Name
		}
	}
	return names, file
}

// calls tells whether a file calls anything of the package of that local name.
func calls(file *ast.File, name string) (yes bool) {
	if name == "" || name == "_" {
		return false
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && selected(call.Fun, name) != "" {
			yes = true
		}
		return !yes
	})
	return yes
}

// selected is X of the expression name.X, "" for any other.
func selected(e ast.Expr, name string) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
			return s.Sel.Name
		}
	}
	return ""
}

// mostMethods is how many a port may have.
const mostMethods = 6

// Ports finds exported interfaces with too many methods in the files of one
// package; those of embedded interfaces count. One that only puts others together
// is no port: each of its parts is held. It returns also how many ports there are.
func Ports(files []Source) (found []string, count int) {
	declared := map[string]*ast.InterfaceType{}
	where := map[string]string{}
	for _, s := range files {
		_, file := imports(s)
		if file == nil {
			continue
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					if i, ok := t.Type.(*ast.InterfaceType); ok {
						declared[t.Name.Name], where[t.Name.Name] = i, s.Name
					}
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		own, all := methods(declared, name, map[string]bool{})
		if !ast.IsExported(name) || own == 0 {
			continue
		}
		count++
		if all > mostMethods {
			found = append(found, fmt.Sprintf("%s: %s has %d methods, %d at most", where[name], name, all, mostMethods))
		}
	}
	return found, count
}

// methods counts the methods that an interface declares itself, and all of them;
// an embedded interface of another package counts as one.
func methods(declared map[string]*ast.InterfaceType, name string, seen map[string]bool) (own, all int) {
	i := declared[name]
	if i == nil || seen[name] {
		return 0, 0
	}
	seen[name] = true
	for _, m := range i.Methods.List {
		own += len(m.Names)
		all += len(m.Names)
		if len(m.Names) > 0 {
			continue
		}
		if embedded, ok := m.Type.(*ast.Ident); ok && declared[embedded.Name] != nil {
			_, more := methods(declared, embedded.Name, seen)
			all += more
		} else {
			all++
		}
	}
	return own, all
}
