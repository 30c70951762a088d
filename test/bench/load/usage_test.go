package main

import (
	"math/rand"
	"os"
	"slices"
	"testing"
	"time"
)

func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 31, 32, 33, 63, 64, 1000, 123456789, 1 << 40} {
		if top := upper(step(d)); top < d || float64(top-d) > float64(d)/32+1 {
			t.Errorf("%d falls into a step that ends at %d", d, top)
		}
	}
	var h histogram
	var all []time.Duration
	for range 100_000 {
		d := time.Duration(rand.Int63n(5e6))
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{.5, .99, .999} {
		want := float64(all[int(q*float64(len(all)))]) / 1e6
		if got := h.quantile(q); got < want*.99 || got > want*1.04 {
			t.Errorf("quantile %v is %v ms, want %v", q, got, want)
		}
	}
}

func TestUsageOfAProcess(t *testing.T) {
	pid := os.Getpid()
	before, err := cpuOf(pid)
	if err != nil {
		t.Fatal(err)
	}
	for own, _ := cpuOfSelf(); ; {
		if now, _ := cpuOfSelf(); now-own > 60*time.Millisecond {
			break
		}
	}
	if after, err := cpuOf(pid); err != nil || after-before < 40*time.Millisecond {
		t.Errorf("60 ms of work were told as %v, %v", after-before, err)
	}
	if rss, err := memoryOf(pid); err != nil || rss < 1<<20 {
		t.Errorf("this process is told to have %d bytes, %v", rss, err)
	}
	if _, err := cpuOf(1 << 30); err == nil {
		t.Error("a process that is not there has CPU time")
	}
}
