package mongo

import (
	"context"
	"errors"
	"io"
	"net"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"parley/models"
)

// awayCodes are the server's words for "not now": it is shutting down, is no
// longer or not yet the primary, ran out of time, or lost its peers.
var awayCodes = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	24,    // LockTimeout
	50,    // MaxTimeMSExpired
	64,    // WriteConcernFailed
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	100,   // UnsatisfiableWriteConcern: too few members are up
	112,   // WriteConflict
	133,   // FailedToSatisfyReadPreference: no primary
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	202,   // NetworkInterfaceExceededTimeLimit
	262,   // ExceededTimeLimit
	462,   // IngressRequestRateLimitExceeded
	9001,  // SocketException
	10058, // LegacyNotPrimary
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11601, // Interrupted
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// awayMessage is what an embedded server's storage says when it is overrun.
const awayMessage = "database is locked"

// awayLabels are put on errors after which the same thing may well succeed.
var awayLabels = []string{"RetryableWriteError", "TransientTransactionError", "SystemOverloadedError", "NetworkError"}

// classify turns a driver error into ours. The driver's stays inside as the
// cause, for the log.
func classify(err error) error {
	if err == nil {
		return nil
	}
	var known *models.Error
	switch {
	case errors.As(err, &known):
		return known
	case away(err):
		return models.Unavailable("the database", err)
	}
	return models.Internal(err)
}

func away(err error) bool {
	switch {
	case mongo.IsNetworkError(err), mongo.IsTimeout(err),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, mongo.ErrClientDisconnected), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	var (
		network   net.Error
		selection topology.ServerSelectionError
		conn      topology.ConnectionError
		wait      topology.WaitQueueTimeoutError
		pool      topology.PoolError
		cleared   interface{ Retryable() bool } // the driver's pool-cleared error has no exported name
		labeled   mongo.LabeledError
		server    mongo.ServerError
	)
	switch {
	case errors.As(err, &network), errors.As(err, &selection), errors.As(err, &conn), errors.As(err, &wait), errors.As(err, &pool):
		return true
	case errors.As(err, &cleared) && cleared.Retryable():
		return true
	}
	if errors.As(err, &labeled) {
		for _, l := range awayLabels {
			if labeled.HasErrorLabel(l) {
				return true
			}
		}
	}
	if !errors.As(err, &server) {
		return false
	}
	for _, code := range awayCodes {
		if server.HasErrorCode(code) {
			return true
		}
	}
	return server.HasErrorMessage(awayMessage)
}

// unsent says that the operation found no server or no connection and so never
// reached the database. The driver answers with the first error that matters, so
// a write that was sent and then retried in vain is not taken for one.
func unsent(err error) bool {
	var (
		selection topology.ServerSelectionError
		wait      topology.WaitQueueTimeoutError
		cleared   interface{ Retryable() bool }
	)
	return errors.As(err, &selection) || errors.As(err, &wait) || errors.As(err, &cleared) ||
		errors.Is(err, mongo.ErrClientDisconnected)
}

// isDuplicate says that the _id is taken.
func isDuplicate(err error) bool { return mongo.IsDuplicateKeyError(err) }
