package main

import (
	"fmt"
	"math"
)

// goals measures everything.
func (b *bench) goals() ([]goal, error) {
	if err := b.measure(); err != nil {
		return nil, err
	}
	most := func(what, a, other string, limit float64) goal {
		ratio := b.ratio(a, other)
		return goal{what, fmt.Sprintf("%.2f × (%s)", ratio, b.times(a, other)), fmt.Sprintf("≤ %g ×", limit), ratio <= limit}
	}
	least := func(what, a, other string, limit float64) goal {
		ratio := b.ratio(a, other)
		return goal{what, fmt.Sprintf("%.0f × (%s)", ratio, b.times(a, other)), fmt.Sprintf("≥ %g ×", limit), ratio >= limit}
	}
	goals := []goal{
		most("remux against a 64 KiB copy, to /dev/null", "remux", "copy", 4),
		most("remux against a 64 KiB copy, to a file", "remux to file", "copy to file", 3),
		least("the old ffmpeg command against remux", "old way", "remux", 1000),
		least("`ffmpeg -c:a copy` against remux", "ffmpeg copy", "remux", 40),
		most("whole job (sniff, remux, SHA-256, header) against remux", "job", "remux", 4),
		most("transcode against the bare ffmpeg command", "transcode", "bare transcode", 1.05),
	}
	memory, err := b.memory()
	if err != nil {
		return nil, err
	}
	spawned, err := b.spawns()
	if err != nil {
		return nil, err
	}
	return append(append(goals, memory...), spawned...), nil
}

// memory runs jobs of one minute and of ten hours, each in a process of its own.
func (b *bench) memory() ([]goal, error) {
	minute, err := b.isolated(60)
	if err != nil {
		return nil, err
	}
	hours, err := b.isolated(10 * 3600)
	if err != nil {
		return nil, err
	}
	objects, size := max(minute.Objects, hours.Objects), max(minute.Bytes, hours.Bytes)
	growth := math.Max(0, float64(hours.Peak-minute.Peak)) / 1024
	return []goal{
		{"allocations of a copy job, whatever its length", fmt.Sprint(objects), "≤ 150", objects <= 150},
		{"heap allocated by a copy job, in all", fmt.Sprintf("%d KiB", size>>10), "≤ 512 KiB", size <= 512<<10},
		{
			fmt.Sprintf("peak RSS of ten hours beyond that of one minute (%.1f MiB)", float64(minute.Peak)/1024),
			fmt.Sprintf("+%.1f MiB", growth), "+2 MiB", growth <= 2,
		},
	}, nil
}
