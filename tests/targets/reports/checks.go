// SPDX-License-Identifier: Apache-2.0
// A server whose handler holds a mutex and waits for the lock of a file: one thread is in flock(), the rest of Go's are parked.
package main

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"syscall"
)

type state struct {
	mu     sync.Mutex
	checks map[string]int
	path   string
}

func (s *state) update(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checks[name]++
	return s.checks[name]
}

func (s *state) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, len(s.checks))
	return err
}

func main() {
	s := &state{checks: map[string]int{}, path: os.Args[2]}
	http.HandleFunc("/save", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, s.save()) })
	http.HandleFunc("/check", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, s.update("one")) })
	http.HandleFunc("/ping", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "pong") })
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
