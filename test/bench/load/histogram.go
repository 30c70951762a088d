package main

import (
	"math/bits"
	"time"
)

// histogram counts times in steps of a 32nd of a power of two: what it tells is
// too high by 3 % at most.
type histogram struct {
	steps [64 * 32]int
	n     int
	max   time.Duration
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.steps[step(d)]++
	h.n++
	h.max = max(h.max, d)
}

func step(d time.Duration) int {
	if d < 32 {
		return int(d)
	}
	shift := bits.Len64(uint64(d)) - 6
	return (shift+1)*32 + int(d>>shift) - 32
}

// upper is the longest time of a step.
func upper(step int) time.Duration {
	if step < 32 {
		return time.Duration(step)
	}
	return time.Duration(step%32+33)<<(step/32-1) - 1
}

// quantile is in milliseconds.
func (h *histogram) quantile(q float64) float64 {
	d, rank := h.max, int(q*float64(h.n))
	for i, c := range h.steps {
		if rank -= c; rank < 0 {
			d = min(upper(i), h.max)
			break
		}
	}
	return float64(d) / 1e6
}
