package youtube

import (
	"context"
	"time"
)

// Status is the health of the source as the fleet shares it, for operators.
type Status struct {
	Egress   string          `json:"egress"`
	Paused   bool            `json:"paused"` // no extractor may be used
	Until    time.Time       `json:"until,omitzero"`
	Code     string          `json:"code,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	NextSong time.Time       `json:"next_song,omitzero"` // by the pace; zero: at once
	Circuits []CircuitStatus `json:"circuits"`
	Searches SearchStatus    `json:"searches"`
	Cookies  *Cookies        `json:"cookies,omitempty"`
	Problem  string          `json:"cookies_problem,omitempty"`
}

// CircuitStatus is one extractor's circuit.
type CircuitStatus struct {
	Extractor string    `json:"extractor"`
	State     string    `json:"state"`
	Since     time.Time `json:"since,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Times     int       `json:"times,omitempty"` // opened in a row
	Code      string    `json:"code,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

// SearchStatus is the day's use of the Data API.
type SearchStatus struct {
	Key       bool `json:"key"` // there is one
	Used      int  `json:"used"`
	Limit     int  `json:"limit"`
	Exhausted bool `json:"exhausted"`
}

// String is one line for people: "" when all is well, else "paused: youtube
// until …, because …".
func (s Status) String() string {
	if !s.Paused {
		return ""
	}
	return "paused: youtube until " + s.Until.UTC().Format(time.RFC3339) + ", because " + s.Reason
}

// Status reads the shared records and the file of cookies. It asks nothing of
// YouTube.
func (s *Source) Status(ctx context.Context) Status {
	now := s.now()
	st := Status{Egress: s.Egress, Paused: true}
	for _, name := range s.Extractors {
		var c circuit
		s.board.read(ctx, s.health.key("circuit", name), &c)
		one := CircuitStatus{Extractor: name, State: CircuitClosed, Since: c.Since}
		b := c.blocked(now)
		if c.State == CircuitOpen || c.State == CircuitHalfOpen {
			one.State, one.Until, one.Times, one.Code, one.Reason = c.State, c.Until, c.Times, c.Code, c.Reason
		}
		st.Circuits = append(st.Circuits, one)
		if one.State == CircuitClosed || b == nil {
			st.Paused = false
		} else if st.Until.IsZero() || b.until.Before(st.Until) {
			st.Until, st.Code, st.Reason = b.until, b.code, b.reason
		}
	}
	if !st.Paused {
		st.Until, st.Code, st.Reason = time.Time{}, "", ""
	}
	s.paceStatus(ctx, &st, now)
	st.Searches = SearchStatus{Limit: s.SearchQuota}
	if s.search.api != nil {
		var q quota
		s.board.read(ctx, s.search.api.quotaKey(), &q)
		st.Searches.Key, st.Searches.Used = true, min(q.Used, s.SearchQuota)
		st.Searches.Exhausted = q.Closed || q.Used >= s.SearchQuota
	}
	if s.Options.Cookies != "" {
		c, err := ReadCookies(s.Options.Cookies, now)
		c.Rotated = s.ytdlp.isRotated(c)
		st.Cookies = &c
		switch {
		case err != nil:
			st.Problem = err.Error()
		case c.Rotated:
			st.Problem = "YouTube no longer accepts these cookies; export them anew"
		}
	}
	return st
}

func (s *Source) paceStatus(ctx context.Context, st *Status, now time.Time) {
	var p pace
	if s.SongsEvery > 0 && s.board.read(ctx, "youtube/pace/"+s.Egress, &p) {
		if next := p.Next.Add(-time.Duration(s.Burst-1) * s.SongsEvery); next.After(now) {
			st.NextSong = next
		}
	}
}
