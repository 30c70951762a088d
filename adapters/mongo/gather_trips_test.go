package mongo

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"parley/models"
)

// trip is one round trip, which ends when the test says so.
type trip struct {
	asked []int
	end   chan error
}

// newTrips is a gather of numbers, whose answers are ten times as much.
func newTrips(side int) (*gather[int, int], chan trip) {
	begun := make(chan trip)
	return &gather[int, int]{trips: side, answer: func(_ context.Context, asked []int) ([]int, error) {
		t := trip{asked, make(chan error)}
		begun <- t
		if err := <-t.end; err != nil {
			return nil, err
		}
		var answers []int
		for _, q := range asked {
			answers = append(answers, 10*q)
		}
		return answers, nil
	}}, begun
}

// Nobody waits for company; who comes while as many as may be are under way goes
// with the next, all at once.
func TestATripIsWhoeverCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, begun := newTrips(2)
		ask := func(q int, fails bool) {
			go func() {
				if a, err := g.ask(t.Context(), q); (err != nil) != fails || err == nil && a != 10*q {
					t.Errorf("%d: %d, %v", q, a, err)
				}
			}()
			synctest.Wait()
		}
		ask(0, false)
		first := <-begun
		ask(1, false)
		second := <-begun
		if !slices.Equal(first.asked, []int{0}) || !slices.Equal(second.asked, []int{1}) {
			t.Fatalf("they went with %v, %v", first.asked, second.asked)
		}
		for q := 2; q < 12; q++ {
			ask(q, true)
		}
		first.end <- nil
		third := <-begun
		if !slices.Equal(third.asked, []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11}) {
			t.Errorf("the next is for %v", third.asked)
		}
		ask(12, false)
		second.end <- nil
		fourth := <-begun
		if !slices.Equal(fourth.asked, []int{12}) {
			t.Errorf("the last is for %v", fourth.asked)
		}
		third.end <- errors.New("lost")
		fourth.end <- nil
		synctest.Wait()
		ask(13, false) // nothing is under way any more: it goes at once
		(<-begun).end <- nil
		synctest.Wait()
	})
}

// Who gives up while waiting has done nothing. Who gives up while it is under way
// hears what became of it.
func TestGivingUpOnWhatIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, begun := newTrips(1)
		go func() { _, _ = g.do(t.Context(), 0) }()
		first := <-begun
		ctx, cancel := context.WithCancel(t.Context())
		given := func(ctx context.Context, q int, want int, code models.Code) {
			go func() {
				if a, err := g.do(ctx, q); a != want || models.CodeOf(err) != code {
					t.Errorf("%d: %d, %v", q, a, err)
				}
			}()
			synctest.Wait()
		}
		given(ctx, 1, 0, models.CodeUnavailable)
		given(t.Context(), 2, 20, "")
		cancel()
		synctest.Wait()
		ctx, cancel = context.WithCancel(t.Context())
		given(ctx, 3, 30, "")
		first.end <- nil
		second := <-begun
		cancel()
		synctest.Wait()
		if !slices.Equal(second.asked, []int{2, 3}) {
			t.Errorf("%v went", second.asked)
		}
		second.end <- nil
		synctest.Wait()
	})
}
