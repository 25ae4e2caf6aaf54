package dynamo

import (
	"strconv"
	"strings"
)

// update is a conditional UpdateItem in the making.
type update struct {
	order   []string          // attributes, as they came
	clauses map[string]string // by attribute: what it is set to, "" removes it
	conds   []string
	names   map[string]string
	values  item

	// fresh is called before every try, for what has to be of that moment.
	fresh func(u *update)
}

func newUpdate(rev string) *update {
	u := &update{clauses: map[string]string{}, names: map[string]string{}, values: item{}}
	u.put(attrRev, text(rev))
	return u
}

// name makes an attribute usable in an expression, whatever DynamoDB reserves.
func (u *update) name(attribute string) string {
	alias := "#" + attribute
	u.names[alias] = attribute
	return alias
}

func (u *update) value(v value) string {
	alias := ":" + strconv.Itoa(len(u.values))
	u.values[alias] = v
	return alias
}

// put implements fields.
func (u *update) put(attribute string, v value) {
	if v == nil {
		u.set(attribute, "")
		return
	}
	if alias := u.clauses[attribute]; u.values[alias] != nil { // again: no value may be left over
		u.values[alias] = v
		return
	}
	u.set(attribute, u.value(v))
}

func (u *update) set(attribute, clause string) {
	if _, twice := u.clauses[attribute]; !twice {
		u.order = append(u.order, attribute)
	}
	u.clauses[attribute] = clause
}

func (u *update) remove(attributes ...string) {
	for _, a := range attributes {
		u.set(a, "")
	}
}

// add adds to a number that is there.
func (u *update) add(attribute string, n int64) {
	u.set(attribute, u.name(attribute)+" + "+u.value(number(n)))
}

// when adds a condition. {x} in it stands for the attribute x, ? for the next of
// the values.
func (u *update) when(condition string, values ...value) {
	var b strings.Builder
	for i := 0; i < len(condition); i++ {
		switch condition[i] {
		case '{':
			end := strings.IndexByte(condition[i:], '}')
			b.WriteString(u.name(condition[i+1 : i+end]))
			i += end
		case '?':
			b.WriteString(u.value(values[0]))
			values = values[1:]
		default:
			b.WriteByte(condition[i])
		}
	}
	u.conds = append(u.conds, "("+b.String()+")")
}

// equal is the condition that an attribute has a value; nil: that it is not
// there.
func (u *update) equal(attribute string, v value) {
	if v == nil {
		u.when("attribute_not_exists({" + attribute + "})")
		return
	}
	u.when("{"+attribute+"} = ?", v)
}

// among is the condition that the state is one of some.
func (u *update) among(states ...value) {
	u.when("{state} IN (?"+strings.Repeat(", ?", len(states)-1)+")", states...)
}

// expressions returns the update and the condition.
func (u *update) expressions() (changes, condition string) {
	var set, remove []string
	for _, a := range u.order {
		if clause := u.clauses[a]; clause != "" {
			set = append(set, u.name(a)+" = "+clause)
		} else {
			remove = append(remove, u.name(a))
		}
	}
	changes = "SET " + strings.Join(set, ", ")
	if len(remove) > 0 {
		changes += " REMOVE " + strings.Join(remove, ", ")
	}
	return changes, strings.Join(u.conds, " AND ")
}
