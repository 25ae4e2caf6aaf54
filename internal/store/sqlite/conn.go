package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	driversqlite "modernc.org/sqlite"
)

// conn is the writer's connection. It talks to the driver without the pool and
// the conversions of database/sql, which cost as much as the small statements
// themselves. It belongs to one goroutine.
type conn struct {
	driver driver.Conn
	stmts  map[string]*stmt
}

// stmt is a prepared statement with room for its arguments.
type stmt struct {
	driver interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	args []driver.NamedValue
	row  []driver.Value
}

// The driver starts a goroutine for every statement under a context that can
// end: the writer's can not.
var forever = context.Background()

func dial(dsn string) (*conn, error) {
	c, err := new(driversqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{driver: c, stmts: map[string]*stmt{}}, nil
}

func (c *conn) close() error {
	var err error
	for _, s := range c.stmts {
		err = errors.Join(err, s.driver.Close())
	}
	return errors.Join(err, c.driver.Close())
}

// stmt returns the prepared statement of a query.
func (c *conn) stmt(query string) (*stmt, error) {
	if s := c.stmts[query]; s != nil {
		return s, nil
	}
	prepared, err := c.driver.Prepare(query)
	if err != nil {
		return nil, err
	}
	s := new(stmt)
	var ok bool
	if s.driver, ok = prepared.(interface {
		driver.Stmt
		driver.StmtExecContext
		driver.StmtQueryContext
	}); !ok {
		return nil, fmt.Errorf("the driver's %T lacks contexts", prepared)
	}
	c.stmts[query] = s
	return s, nil
}

func (s *stmt) bind(args []any) []driver.NamedValue {
	s.args = s.args[:0]
	for i, a := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return s.args
}

// exec runs a statement and returns how many rows it changed. The driver copies
// what the arguments point to.
func (c *conn) exec(query string, args ...any) (int64, error) {
	s, err := c.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := s.driver.ExecContext(forever, s.bind(args))
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query calls each for every row. The values are the row's own copies; the slice
// that holds them is not.
func (c *conn) query(query string, each func(row []driver.Value) error, args ...any) (err error) {
	s, err := c.stmt(query)
	if err != nil {
		return err
	}
	rows, err := s.driver.QueryContext(forever, s.bind(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		err := rows.Next(s.row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(s.row); err != nil {
			return err
		}
	}
}

// number returns the integer of a query's one row; 0 if there is none or NULL.
func (c *conn) number(query string, args ...any) (n int64, err error) {
	err = c.query(query, func(row []driver.Value) error { n = integer(row[0]); return nil }, args...)
	return n, err
}

func integer(v driver.Value) int64 {
	n, _ := v.(int64)
	return n
}

func blob(v driver.Value) []byte {
	switch v := v.(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// tuples returns n tuples of so many parameters: "(?,?),(?,?)".
func tuples(n, parameters int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", parameters), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(one+",", n), ",")
}
