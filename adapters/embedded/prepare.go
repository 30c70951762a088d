//go:build !noembed

package embedded

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// prepareTimeout bounds making the collections.
const prepareTimeout = 30 * time.Second

// prepare makes the collections with their unique index on _id.
func prepare(ctx context.Context, addr string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + addr + "/?directConnection=true"))
	if err != nil {
		return err
	}
	defer func() {
		if e := client.Disconnect(ctx); err == nil {
			err = e
		}
	}()
	for _, name := range collections {
		if err := client.Database(Database).CreateCollection(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
