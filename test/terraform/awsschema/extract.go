package awsschema

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Extract reads the types that are named out of the npm package, a .tgz. A type that
// it does not have is an error.
func Extract(archive string, resources, dataSources []string) (*Schema, error) {
	wanted := map[string]string{} // member of the archive to type
	for _, name := range resources {
		wanted["package/lib/"+folder(strings.TrimPrefix(name, "aws_"))+"/index.js"] = name
	}
	for _, name := range dataSources {
		wanted["package/lib/data-"+folder(name)+"/index.js"] = name
	}
	found := &Schema{Resources: map[string]*Block{}, DataSources: map[string]*Block{}}
	err := eachMember(archive, func(member string, content io.Reader) error {
		name, ok := wanted[member]
		if !ok {
			return nil
		}
		script, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		block, data, err := extract(name, string(script))
		if err != nil {
			return fmt.Errorf("%s: %w", member, err)
		}
		if data {
			found.DataSources[name] = block
		} else {
			found.Resources[name] = block
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range resources {
		if found.Resources[name] == nil {
			return nil, fmt.Errorf("%s %s has no resource %s", Package, PackageVersion, name)
		}
	}
	for _, name := range dataSources {
		if found.DataSources[name] == nil {
			return nil, fmt.Errorf("%s %s has no data source %s", Package, PackageVersion, name)
		}
	}
	return found, nil
}

// folder is the name of a type's folder: sqs_queue is in sqs-queue.
func folder(name string) string { return strings.ReplaceAll(name, "_", "-") }

func eachMember(archive string, do func(string, io.Reader) error) (err error) {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("%s: %w", archive, err)
	}
	for members := tar.NewReader(unpacked); ; {
		header, err := members.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", archive, err)
		}
		if err := do(header.Name, members); err != nil {
			return err
		}
	}
}

// source is the TypeScript of one type, cut at its top-level declarations.
type source struct {
	classes    map[string]string
	interfaces map[string]string
	functions  map[string]string
}

var (
	sourceMap    = regexp.MustCompile(`sourceMappingURL=data:[^,]*,([A-Za-z0-9+/=]+)`)
	declaration  = regexp.MustCompile(`(?ms)^export (class|interface|function) (\w+)(.*?)^}`)
	typeName     = regexp.MustCompile(`tfResourceType = "(\w+)"`)
	member       = regexp.MustCompile(`(?ms)^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n(.*?)^  }`)
	primitive    = regexp.MustCompile(`this\.get(String|Number|Boolean)Attribute\(`)
	listOf       = regexp.MustCompile(`this\.get(Number)?ListAttribute\(`)
	mapOf        = regexp.MustCompile(`(?:this\.get|cdktf\.)(String|Number|Boolean|Any)Map(?:Attribute)?\(`)
	structOf     = regexp.MustCompile(`= new (\w+?)(List|OutputReference|Map)\(this, "\w+"(?:, (true|false))?\)`)
	nestingOf    = regexp.MustCompile(`(?s)(\w+): \{\s+value: .*?isBlock: (true|false),\s+type: "(\w+)"`)
	propertyDocs = regexp.MustCompile(`(?ms)^  /\*\*\n  \* (\w+) block\n`)
)

func extract(name, script string) (block *Block, data bool, err error) {
	maps := sourceMap.FindAllStringSubmatch(script, -1)
	if maps == nil {
		return nil, false, errors.New("no source map")
	}
	decoded, err := base64.StdEncoding.DecodeString(maps[len(maps)-1][1])
	if err != nil {
		return nil, false, err
	}
	var sources struct {
		Content []string `json:"sourcesContent"`
	}
	if err := json.Unmarshal(decoded, &sources); err != nil {
		return nil, false, err
	}
	if len(sources.Content) == 0 {
		return nil, false, errors.New("an empty source map")
	}
	s := cut(sources.Content[0])
	for class, body := range s.classes {
		kind := typeName.FindStringSubmatch(body)
		if kind == nil {
			continue
		}
		if kind[1] != name {
			return nil, false, fmt.Errorf("holds %s", kind[1])
		}
		block, err := s.block(class+"Config", body, body)
		return block, strings.Contains(body, "extends cdktf.TerraformDataSource"), err
	}
	return nil, false, errors.New("no type in it")
}

func cut(text string) *source {
	s := &source{classes: map[string]string{}, interfaces: map[string]string{}, functions: map[string]string{}}
	for _, d := range declaration.FindAllStringSubmatch(text, -1) {
		switch d[1] {
		case "class":
			s.classes[d[2]] = d[3]
		case "interface":
			s.interfaces[d[2]] = d[3]
		case "function":
			s.functions[d[2]] = d[3]
		}
	}
	return s
}

// block reads what a class has. Its interface tells blocks from attributes, and
// synthesis how blocks are nested.
func (s *source) block(interfaceName, class, synthesis string) (*Block, error) {
	b := &Block{Attributes: map[string]*Attribute{}, Blocks: map[string]*Nested{}}
	var blocks []string
	for _, doc := range propertyDocs.FindAllStringSubmatch(s.interfaces[interfaceName], -1) {
		blocks = append(blocks, doc[1])
	}
	nesting := map[string]string{}
	for _, n := range nestingOf.FindAllStringSubmatch(synthesis, -1) {
		nesting[n[1]] = n[3]
	}
	for _, m := range member.FindAllStringSubmatch(class, -1) {
		name, body := m[1], m[5]
		if slices.Contains(blocks, name) {
			nested, err := s.nested(body, nesting[name], m[4] == "true")
			if err != nil {
				return nil, fmt.Errorf("block %s: %w", name, err)
			}
			b.Blocks[name] = nested
			continue
		}
		kind, err := s.typeOf(body)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		b.Attributes[name] = &Attribute{Type: kind, Computed: m[2] == "true", Optional: m[3] == "true", Required: m[4] == "true"}
	}
	return b, nil
}

func (s *source) nested(body, nesting string, required bool) (*Nested, error) {
	of := structOf.FindStringSubmatch(body)
	if of == nil {
		return nil, fmt.Errorf("is no struct: %.200s", body)
	}
	inner, err := s.structure(of[1])
	if err != nil {
		return nil, err
	}
	n := &Nested{Block: *inner, Nesting: nesting}
	switch {
	case of[2] == "List" && of[3] == "true":
		n.Nesting = "set"
	case of[2] == "List":
		n.Nesting = "list"
	case nesting == "struct":
		n.Nesting = "single"
	default:
		n.Nesting, n.Max = "list", 1
	}
	if required {
		n.Min = 1
	}
	return n, nil
}

func (s *source) structure(name string) (*Block, error) {
	class, ok := s.classes[name+"OutputReference"]
	if !ok {
		return nil, fmt.Errorf("no class %sOutputReference", name)
	}
	return s.block(name, class, s.functions[strings.ToLower(name[:1])+name[1:]+"ToHclTerraform"])
}

func (s *source) typeOf(body string) (json.RawMessage, error) {
	set := strings.Contains(body, "cdktf.Fn.tolist(")
	collection := func(element string) json.RawMessage {
		if set {
			return json.RawMessage(`["set",` + element + `]`)
		}
		return json.RawMessage(`["list",` + element + `]`)
	}
	switch {
	case primitive.MatchString(body):
		return word(primitive.FindStringSubmatch(body)[1]), nil
	case listOf.MatchString(body):
		if listOf.FindStringSubmatch(body)[1] == "Number" {
			return collection(`"number"`), nil
		}
		return collection(`"string"`), nil
	case structOf.MatchString(body):
		return s.objects(structOf.FindStringSubmatch(body))
	case mapOf.MatchString(body):
		element := mapOf.FindStringSubmatch(body)[1]
		if element == "Any" {
			element = "String"
		}
		return json.RawMessage(`["map",` + string(word(element)) + `]`), nil
	}
	return nil, fmt.Errorf("unknown kind: %.200s", body)
}

// objects is the type of an attribute that holds objects.
func (s *source) objects(of []string) (json.RawMessage, error) {
	if of[1] == "cdktf.String" || s.classes[of[1]+"OutputReference"] == "" {
		return nil, fmt.Errorf("no class %sOutputReference", of[1])
	}
	inner, err := s.structure(of[1])
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	for name, a := range inner.Attributes {
		members[name] = a.Type
	}
	object, err := json.Marshal([]any{"object", members})
	if err != nil {
		return nil, err
	}
	kind := "list"
	switch {
	case of[2] == "Map":
		kind = "map"
	case of[3] == "true":
		kind = "set"
	}
	return json.RawMessage(`["` + kind + `",` + string(object) + `]`), nil
}

// word is a primitive type in Terraform's notation.
func word(of string) json.RawMessage {
	return json.RawMessage(`"` + map[string]string{"String": "string", "Number": "number", "Boolean": "bool"}[of] + `"`)
}
