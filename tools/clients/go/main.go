// go-redis: both protocols, commands, pipelines, scripts and messages.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func same(got, wanted any) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("got %v, wanted %v", got, wanted))
	}
}

func main() {
	for _, protocol := range []int{2, 3} {
		check(redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Getenv("PORT"), Protocol: protocol}))
	}
}

func check(client *redis.Client) {
	defer client.Close()
	must(client.FlushDB(ctx).Result())
	same(must(client.Set(ctx, "text", "value", 100*time.Second).Result()), "OK")
	same(must(client.Get(ctx, "text").Result()), "value")
	if _, err := client.Get(ctx, "nothing").Result(); err != redis.Nil {
		panic(err)
	}
	same(must(client.IncrBy(ctx, "number", 5).Result()), 5)
	must(client.HSet(ctx, "hash", "a", "1", "b", "2").Result())
	same(must(client.HGetAll(ctx, "hash").Result()), map[string]string{"a": "1", "b": "2"})
	same(must(client.RPush(ctx, "list", "a", "b", "c").Result()), 3)
	same(must(client.LRange(ctx, "list", 0, -1).Result()), []string{"a", "b", "c"})
	must(client.ZAdd(ctx, "sorted", redis.Z{Score: 1, Member: "one"}, redis.Z{Score: 2.5, Member: "two"}).Result())
	same(must(client.ZScore(ctx, "sorted", "two").Result()), 2.5)
	replies := must(client.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, "m", "v", 0)
		pipe.Get(ctx, "m")
		return nil
	}))
	same(replies[1].(*redis.StringCmd).Val(), "v")
	addTo := redis.NewScript("return redis.call('INCRBY', KEYS[1], ARGV[1])")
	same(must(addTo.Run(ctx, client, []string{"number"}, 3).Int()), 8)
	if err := client.HGet(ctx, "text", "f").Err(); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		panic(err)
	}

	listener := client.Subscribe(ctx, "news")
	defer listener.Close()
	must(listener.Receive(ctx))
	must(client.Publish(ctx, "news", "here").Result())
	same(must(listener.ReceiveMessage(ctx)).Payload, "here")

	popped := make(chan []string)
	go func() { popped <- must(client.BLPop(ctx, 10*time.Second, "queue").Result()) }()
	must(client.RPush(ctx, "queue", "job").Result())
	same(<-popped, []string{"queue", "job"})
}
