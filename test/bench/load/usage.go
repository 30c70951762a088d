package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuOf is the CPU time of a process so far, user and system.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in brackets and may hold anything.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ is 100 on Linux
}

// memoryOf is the resident memory of a process in bytes.
func memoryOf(pid int) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	kib, ok := numberAfter(bytes.ReplaceAll(status, []byte(" "), nil), []byte("VmRSS:\t"))
	if !ok {
		return 0, fmt.Errorf("/proc/%d/status tells no VmRSS", pid)
	}
	return kib << 10, nil
}

func cpuOfSelf() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, err
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}

// instant is what had been used at one moment.
type instant struct {
	at          time.Time
	server, own time.Duration
	beside      map[string]time.Duration // of other processes, by name
}

func (p *pool) instant(beside map[string]int) (i instant, err error) {
	if i.server, err = cpuOf(p.pid); err != nil {
		return i, err
	}
	i.beside = make(map[string]time.Duration, len(beside))
	for name, pid := range beside {
		if i.beside[name], err = cpuOf(pid); err != nil {
			return i, err
		}
	}
	i.own, err = cpuOfSelf()
	i.at = time.Now()
	return i, err
}

// per is so much time for each of n, in microseconds.
func per(d time.Duration, n int) float64 {
	return float64(d) / 1e3 / float64(max(n, 1))
}
