import java.util.List;
import java.util.Map;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.UnifiedJedis;
import redis.clients.jedis.csc.CacheConfig;
import redis.clients.jedis.params.SetParams;

/** Jedis: both protocols, commands, transactions, scripts, messages and its near cache. */
public class JedisCheck {
  static final HostAndPort PLACE = new HostAndPort("127.0.0.1", Integer.parseInt(System.getenv("PORT")));

  public static void main(String[] args) throws Exception {
    for (RedisProtocol protocol : List.of(RedisProtocol.RESP2, RedisProtocol.RESP3)) check(protocol);
    checkCache();
  }

  static void check(RedisProtocol protocol) throws Exception {
    var config = DefaultJedisClientConfig.builder().protocol(protocol).build();
    try (var jedis = new Jedis(PLACE, config)) {
      jedis.flushDB();
      same(jedis.set("text", "value", SetParams.setParams().ex(100)), "OK");
      same(jedis.get("text"), "value");
      same(jedis.incrBy("number", 5), 5L);
      jedis.hset("hash", Map.of("a", "1", "b", "2"));
      same(jedis.hgetAll("hash"), Map.of("a", "1", "b", "2"));
      same(jedis.rpush("list", "a", "b", "c"), 3L);
      same(jedis.lrange("list", 0, -1), List.of("a", "b", "c"));
      jedis.zadd("sorted", Map.of("one", 1.0, "two", 2.5));
      same(jedis.zscore("sorted", "two"), 2.5);
      var transaction = jedis.multi();
      transaction.set("m", "v");
      var read = transaction.get("m");
      transaction.exec();
      same(read.get(), "v");
      same(jedis.eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", List.of("number"), List.of("3")), 8L);

      try (var listening = new Jedis(PLACE, config)) {
        var heard = new String[1];
        var listener = new JedisPubSub() {
          @Override
          public void onSubscribe(String channel, int count) {
            jedis.publish("news", "here");
          }

          @Override
          public void onMessage(String channel, String text) {
            heard[0] = text;
            unsubscribe();
          }
        };
        listening.subscribe(listener, "news");
        same(heard[0], "here");
      }

      try (var waiting = new Jedis(PLACE, config)) {
        var popped = new Object[1];
        var thread = new Thread(() -> popped[0] = waiting.blpop(10, "queue"));
        thread.start();
        jedis.rpush("queue", "job");
        thread.join();
        same(popped[0], List.of("queue", "job"));
      }
    }
  }

  static void checkCache() {
    var config = DefaultJedisClientConfig.builder().protocol(RedisProtocol.RESP3).build();
    var cache = CacheConfig.builder().maxSize(100).build();
    try (var reader = new UnifiedJedis(PLACE, config, cache); var writer = new Jedis(PLACE)) {
      writer.set("cached", "one");
      same(reader.get("cached"), "one");
      same(reader.get("cached"), "one");
      writer.set("cached", "two");
      same(reader.get("cached"), "two");
    }
  }

  static void same(Object got, Object wanted) {
    if (!wanted.equals(got)) throw new AssertionError("got " + got + ", wanted " + wanted);
  }
}
