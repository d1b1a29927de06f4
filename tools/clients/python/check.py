"""redis-py: both protocols, commands, pipelines, scripts, messages and its near cache."""
import os
import threading

import redis

PORT = int(os.environ["PORT"])
HAS_CACHE = hasattr(redis, "cache")

for protocol in (2, 3):
    client = redis.Redis(port=PORT, protocol=protocol, decode_responses=True)
    client.flushdb()
    assert client.set("text", "value", ex=100) is True
    assert client.get("text") == "value"
    assert 0 < client.ttl("text") <= 100
    assert client.incrby("number", 5) == 5
    client.hset("hash", mapping={"a": "1", "b": "2"})
    assert client.hgetall("hash") == {"a": "1", "b": "2"}
    assert client.rpush("list", "a", "b", "c") == 3
    assert client.lrange("list", 0, -1) == ["a", "b", "c"]
    assert client.sadd("set", "x", "y") == 2
    assert client.smembers("set") == {"x", "y"}
    client.zadd("sorted", {"one": 1, "two": 2.5})
    assert client.zscore("sorted", "two") == 2.5
    with client.pipeline(transaction=True) as pipe:
        assert pipe.set("m", "v").get("m").execute() == [True, "v"]
    add_to = client.register_script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
    assert add_to(keys=["number"], args=[3]) == 8
    assert set(client.scan_iter(count=100)) == {"text", "number", "hash", "list", "set", "sorted", "m"}
    with client.lock("lock", timeout=5):
        assert client.exists("lock") == 1
    try:
        client.hget("text", "f")
        raise AssertionError("a hash command on a string")
    except redis.ResponseError as error:
        assert "WRONGTYPE" in str(error)

    listener = client.pubsub()
    listener.subscribe("news")
    assert listener.get_message(timeout=5)["type"] == "subscribe"
    client.publish("news", "here")
    assert listener.get_message(timeout=5)["data"] == "here"
    listener.close()

    waiting = redis.Redis(port=PORT, protocol=protocol, decode_responses=True)
    popped = []
    thread = threading.Thread(target=lambda: popped.append(waiting.blpop("queue", timeout=10)))
    thread.start()
    client.rpush("queue", "job")
    thread.join()
    assert [list(one) for one in popped] == [["queue", "job"]]

if HAS_CACHE:
    from redis.cache import CacheConfig

    reader = redis.Redis(port=PORT, protocol=3, decode_responses=True, cache_config=CacheConfig(max_size=100))
    writer = redis.Redis(port=PORT)
    writer.set("cached", "one")
    assert reader.get("cached") == "one"
    assert reader.get("cached") == "one"
    assert reader.get_cache().size == 1
    writer.set("cached", "two")
    assert reader.get("cached") == "two"
