import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.TrackingArgs;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.support.caching.CacheAccessor;
import io.lettuce.core.support.caching.ClientSideCaching;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** Lettuce: both protocols, commands, transactions, scripts, messages and its near cache. */
public class LettuceCheck {
  static final RedisURI PLACE = RedisURI.create("127.0.0.1", Integer.parseInt(System.getenv("PORT")));

  public static void main(String[] args) throws Exception {
    for (var version : List.of(ProtocolVersion.RESP2, ProtocolVersion.RESP3)) check(version);
  }

  static void check(ProtocolVersion version) throws Exception {
    var client = RedisClient.create(PLACE);
    client.setOptions(ClientOptions.builder().protocolVersion(version).build());
    var redis = client.connect().sync();
    redis.flushdb();
    same(redis.set("text", "value", SetArgs.Builder.ex(100)), "OK");
    same(redis.get("text"), "value");
    same(redis.incrby("number", 5), 5L);
    redis.hset("hash", Map.of("a", "1", "b", "2"));
    same(redis.hgetall("hash"), Map.of("a", "1", "b", "2"));
    same(redis.rpush("list", "a", "b", "c"), 3L);
    same(redis.lrange("list", 0, -1), List.of("a", "b", "c"));
    redis.zadd("sorted", 2.5, "two");
    same(redis.zscore("sorted", "two"), 2.5);
    redis.multi();
    redis.set("m", "v");
    redis.get("m");
    same(redis.exec().get(1), "v");
    Long sum = redis.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", ScriptOutputType.INTEGER,
        new String[] {"number"}, "3");
    same(sum, 8L);

    var listening = client.connectPubSub();
    var heard = new CompletableFuture<String>();
    listening.addListener(new RedisPubSubAdapter<>() {
      @Override
      public void message(String channel, String text) {
        heard.complete(text);
      }
    });
    listening.sync().subscribe("news");
    redis.publish("news", "here");
    same(heard.get(10, TimeUnit.SECONDS), "here");

    var popped = client.connect().async().blpop(10, "queue");
    redis.rpush("queue", "job");
    same(popped.get(10, TimeUnit.SECONDS).getValue(), "job");

    if (version == ProtocolVersion.RESP3) checkCache(client);
    client.shutdown();
  }

  static void checkCache(RedisClient client) throws Exception {
    var reader = client.connect();
    var writer = client.connect().sync();
    var near = new ConcurrentHashMap<String, String>();
    var cache = ClientSideCaching.enable(CacheAccessor.forMap(near), reader, TrackingArgs.Builder.enabled());
    writer.set("cached", "one");
    same(cache.get("cached"), "one");
    same(near.get("cached"), "one");
    writer.set("cached", "two");
    var untilMs = System.currentTimeMillis() + 10_000;
    while (!"two".equals(cache.get("cached")) && System.currentTimeMillis() < untilMs) Thread.onSpinWait();
    same(cache.get("cached"), "two");
  }

  static void same(Object got, Object wanted) {
    if (!wanted.equals(got)) throw new AssertionError("got " + got + ", wanted " + wanted);
  }
}
