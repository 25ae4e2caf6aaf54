package dynamo

import (
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// evaluator does to an item what DynamoDB does with the few forms of expression
// that this package writes: so the writes can be held against the transition
// functions by the hundred thousand, index attributes and all, without a server.
type evaluator struct {
	t      *testing.T
	u      *update
	item   item
	tokens []string
	at     int
}

// apply returns the item after an update, or false if its condition fails.
func (u *update) apply(t *testing.T, before item) (after item, ok bool) {
	t.Helper()
	changes, condition := u.expressions()
	e := &evaluator{t: t, u: u, item: before, tokens: tokens(condition)}
	if !e.or() {
		return nil, false
	}
	if e.at != len(e.tokens) {
		t.Fatalf("%s: %q is left over", condition, e.tokens[e.at:])
	}
	after = maps.Clone(before)
	set, remove, _ := strings.Cut(changes, " REMOVE ")
	for _, a := range strings.Split(remove, ", ") {
		delete(after, u.names[a])
	}
	e.tokens, e.at = tokens(strings.TrimPrefix(set, "SET ")), 0
	for {
		name := u.names[e.next()]
		e.want("=")
		after[name] = e.sum()
		if e.at == len(e.tokens) {
			return after, true
		}
		e.want(",")
	}
}

func tokens(s string) []string {
	for _, c := range []string{"(", ")", ","} {
		s = strings.ReplaceAll(s, c, " "+c+" ")
	}
	return strings.Fields(s)
}

func (e *evaluator) next() string {
	if e.at == len(e.tokens) {
		e.t.Fatal("an expression ends too early")
	}
	e.at++
	return e.tokens[e.at-1]
}

func (e *evaluator) want(token string) {
	e.t.Helper()
	if got := e.next(); got != token {
		e.t.Fatalf("%q, want %q in %q", got, token, e.tokens)
	}
}

func (e *evaluator) peek() string {
	if e.at == len(e.tokens) {
		return ""
	}
	return e.tokens[e.at]
}

// Both sides are always read.
func (e *evaluator) or() bool {
	holds := e.and()
	for e.peek() == "OR" {
		e.at++
		right := e.and()
		holds = holds || right
	}
	return holds
}

func (e *evaluator) and() bool {
	holds := e.comparison()
	for e.peek() == "AND" {
		e.at++
		right := e.comparison()
		holds = holds && right
	}
	return holds
}

func (e *evaluator) comparison() bool {
	switch e.peek() {
	case "(":
		e.at++
		holds := e.or()
		e.want(")")
		return holds
	case "attribute_exists", "attribute_not_exists":
		negated := e.next() == "attribute_not_exists"
		e.want("(")
		there := e.item[e.u.names[e.next()]] != nil
		e.want(")")
		return there != negated
	}
	left := e.operand()
	switch how := e.next(); how {
	case "IN":
		e.want("(")
		holds := false
		for {
			right := e.operand()
			holds = holds || left != nil && compare(left, right) == 0
			if e.next() == ")" {
				return holds
			}
		}
	case "=", "<", "<=", ">", ">=":
		right := e.operand()
		if left == nil || right == nil {
			return false
		}
		n := compare(left, right)
		return n == 0 && strings.Contains(how, "=") || n < 0 && strings.HasPrefix(how, "<") || n > 0 && strings.HasPrefix(how, ">")
	default:
		e.t.Fatalf("%q in %q", how, e.tokens)
		return false
	}
}

func (e *evaluator) operand() value {
	token := e.next()
	switch {
	case token == "size":
		e.want("(")
		l, ok := e.item[e.u.names[e.next()]].(*types.AttributeValueMemberL)
		e.want(")")
		if !ok {
			return nil
		}
		return number(len(l.Value))
	case token == "if_not_exists":
		e.want("(")
		v := e.item[e.u.names[e.next()]]
		e.want(",")
		other := e.operand()
		e.want(")")
		if v == nil {
			v = other
		}
		return v
	case token == "list_append":
		e.want("(")
		first := e.operand().(*types.AttributeValueMemberL)
		e.want(",")
		second := e.operand().(*types.AttributeValueMemberL)
		e.want(")")
		return list(append(append([]value{}, first.Value...), second.Value...)...)
	case strings.HasPrefix(token, "#"):
		return e.item[e.u.names[token]]
	}
	v := e.u.values[token]
	if v == nil {
		e.t.Fatalf("%q in %q", token, e.tokens)
	}
	return v
}

// sum is what an attribute is set to.
func (e *evaluator) sum() value {
	left := e.operand()
	if how := e.peek(); how == "+" || how == "-" {
		e.at++
		right := e.operand()
		if left == nil || right == nil {
			e.t.Fatalf("arithmetic on what is not there: %q", e.tokens)
		}
		n := new(big.Int)
		if how == "+" {
			n.Add(integer(left), integer(right))
		} else {
			n.Sub(integer(left), integer(right))
		}
		return &types.AttributeValueMemberN{Value: n.String()}
	}
	if left == nil {
		e.t.Fatalf("set to what is not there: %q", e.tokens)
	}
	return left
}

func integer(v value) *big.Int {
	n, ok := new(big.Int).SetString(v.(*types.AttributeValueMemberN).Value, 10)
	if !ok {
		panic(fmt.Sprint("not a number: ", v))
	}
	return n
}

func compare(a, b value) int {
	if a, ok := a.(*types.AttributeValueMemberS); ok {
		return strings.Compare(a.Value, b.(*types.AttributeValueMemberS).Value)
	}
	return integer(a).Cmp(integer(b))
}
