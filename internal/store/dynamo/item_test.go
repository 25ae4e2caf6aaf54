package dynamo

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/butakero/butakero/internal/jobs"
)

var rewrite = flag.Bool("update", false, "write the golden files")

// fill sets every field of a record to something that is not its zero value, so
// that a field that is added to the domain and forgotten here is noticed.
func fill(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_800_000_000+*n, 123_456_789).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", int(*n%5)+1))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(*n)
	}
}

func fullJob() jobs.Job {
	var j jobs.Job
	var n int64
	fill(reflect.ValueOf(&j).Elem(), &n)
	j.Key = jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: "low"}
	j.State = jobs.JobRunning
	return j
}

func fullOperation() jobs.Operation {
	var o jobs.Operation
	var n int64
	fill(reflect.ValueOf(&o).Elem(), &n)
	o.Key = jobs.Key{Song: jobs.Song{Platform: jobs.PlatformYouTube, ID: "dQw4w9WgXcQ"}, Profile: "low"}
	o.ID = jobs.NewOperationID(o.Key.Song, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	o.State = jobs.OperationFailed
	return o
}

func TestEveryFieldIsKept(t *testing.T) {
	t.Parallel()
	j := fullJob()
	got, err := decodeJob(encodeJob(j, "r"))
	if err != nil || !reflect.DeepEqual(got, j) {
		t.Errorf("job came back as\n%+v, want\n%+v; %v", got, j, err)
	}
	o := fullOperation()
	back, err := decodeOperation(encodeOperation(o, "r", endOrder(o.ID, o.EndedAt)))
	if err != nil || !reflect.DeepEqual(back, o) {
		t.Errorf("operation came back as\n%+v, want\n%+v; %v", back, o, err)
	}
	empty := jobs.Job{Key: j.Key, Generation: 1}
	if got, err = decodeJob(encodeJob(empty, "r")); err != nil || !reflect.DeepEqual(got, empty) {
		t.Errorf("empty job came back as\n%+v; %v", got, err)
	}
}

// The shape of the records is a promise to other versions of this program. When
// it has to change, schemaVersion changes too, and old items stay readable.
func TestShape(t *testing.T) {
	t.Parallel()
	o := fullOperation()
	for name, one := range map[string]item{
		"job": encodeJob(fullJob(), "r"), "operation": encodeOperation(o, "r", endOrder(o.ID, o.EndedAt)),
	} {
		got, err := json.MarshalIndent(plain(&types.AttributeValueMemberM{Value: one}), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		path := "testdata/" + name + ".v1.json"
		if *rewrite {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(want) != string(got) {
			t.Errorf("%s: %v\n%s", path, err, got)
		}
	}
}

// plain is the notation of DynamoDB's own JSON.
func plain(v value) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return map[string]any{"S": v.Value}
	case *types.AttributeValueMemberN:
		return map[string]any{"N": v.Value}
	case *types.AttributeValueMemberB:
		return map[string]any{"B": v.Value}
	case *types.AttributeValueMemberBOOL:
		return map[string]any{"BOOL": v.Value}
	case *types.AttributeValueMemberL:
		all := []any{}
		for _, one := range v.Value {
			all = append(all, plain(one))
		}
		return map[string]any{"L": all}
	case *types.AttributeValueMemberM:
		all := map[string]any{}
		for name, one := range v.Value {
			all[name] = plain(one)
		}
		return map[string]any{"M": all}
	}
	return nil
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(item){
		"newer":      func(i item) { i[attrVersion] = number(schemaVersion + 1) },
		"none":       func(i item) { delete(i, attrVersion) },
		"wrong type": func(i item) { i["fence"] = text("one") },
		"no number":  func(i item) { i["fence"] = &types.AttributeValueMemberN{Value: "1.5"} },
		"no map":     func(i item) { i["result"] = text("x") },
		"inside":     func(i item) { i["result"] = &types.AttributeValueMemberM{Value: item{"bytes": text("x")}} },
		"history":    func(i item) { i["history"] = list(text("x")) },
		"key":        func(i item) { i[attrSK] = text("j") },
	} {
		one := encodeJob(fullJob(), "r")
		damage(one)
		if j, err := decodeJob(one); !errors.Is(err, errItem) {
			t.Errorf("%s: read as %+v, %v", name, j, err)
		}
	}
}

func TestOriginalTexts(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{
		"PT3M21S": 3*time.Minute + 21*time.Second, "PT1H": time.Hour, "P1DT2H": 26 * time.Hour, "P0D": 0, "PT45S": 45 * time.Second, "": 0, "3:21": 0,
	} {
		if got := isoDuration(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]int64{"1.44MB": 1509949, "512KB": 512 << 10, "17B": 17, "": 0, "many": 0, "1.1.1MB": 0} {
		if got := originalSize(in); got != want {
			t.Errorf("%q is %d bytes, want %d", in, got, want)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	u := newUpdate("r1")
	u.when("{a} = ? AND size({b}) < ?", number(1), number(2))
	u.put("c", text("x"))
	u.put("c", text("y")) // no value may be left over: DynamoDB refuses the request
	u.add("d", -1)
	u.remove("e")
	changes, condition := u.expressions()
	if changes != "SET #rev = :0, #c = :3, #d = #d + :4 REMOVE #e" || condition != "(#a = :1 AND size(#b) < :2)" {
		t.Errorf("%s / %s", changes, condition)
	}
	if len(u.values) != 5 || u.values[":3"].(*types.AttributeValueMemberS).Value != "y" {
		t.Errorf("%v", u.values)
	}
}
