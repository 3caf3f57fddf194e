"""The real servers that tests and benchmarks talk to, and where they come from.

A server is looked for in this order: an address in the environment, a container where a Docker
engine answers, a local process on a free loopback port. Where none is to be had the test is
skipped, saying what to install; with ``DESPATCH_REQUIRE_SERVICES=1`` it fails.

=============== ========================== ===================== ========================
server          in the environment         shared fixtures       the test's own
=============== ========================== ===================== ========================
Redis           ``DESPATCH_TEST_REDIS``    `redis_url`           `redis_server`
PostgreSQL      ``DESPATCH_TEST_POSTGRES`` `postgres_url`        `postgres_server`
Kafka           ``DESPATCH_TEST_KAFKA``    `kafka_bootstrap`     `kafka_server`
schema registry ``DESPATCH_TEST_REGISTRY`` `schema_registry_url` `schema_registry_server`
S3              ``DESPATCH_TEST_S3``       `s3_url`, `s3_bucket` `moto_server`
Glue            ``DESPATCH_TEST_GLUE``     `glue_url`            `moto_server`
=============== ========================== ===================== ========================

A test may stop, freeze and kill a server of its own. In a shared one it uses names of its own
(`unique_name`), in PostgreSQL a schema; save for Redis, which is emptied before each test.

The package needs pytest and nothing else, so that it can be loaded where a package's own
dependencies are all there is.
"""

from __future__ import annotations

from services.aws import (
    MotoServer,
    aws_credentials,
    glue_url,
    moto_container,
    moto_server,
    s3_bucket,
    s3_url,
    shared_glue_url,
    shared_s3_url,
)
from services.cache import cache_folder
from services.finding import docker_answers, running, session_server, unavailable, unique_name
from services.kafka import (
    KafkaServer,
    ProxiedKafka,
    kafka_bootstrap,
    kafka_container,
    kafka_server,
    shared_kafka_bootstrap,
)
from services.local import LocalServer, ServiceError, ServiceMissing, free_port
from services.postgres import (
    PostgresServer,
    postgres_container,
    postgres_server,
    postgres_url,
    shared_postgres_url,
)
from services.redis import (
    REDIS_IMAGE,
    REDIS_OPTIONS,
    REDIS_PORT,
    RedisServer,
    redis_command,
    redis_container,
    redis_server,
    redis_url,
    shared_redis_url,
)
from services.registry import (
    RegistryServer,
    registry_container,
    schema_registry_server,
    schema_registry_url,
    shared_schema_registry_url,
)

__all__ = [
    "REDIS_IMAGE",
    "REDIS_OPTIONS",
    "REDIS_PORT",
    "KafkaServer",
    "LocalServer",
    "MotoServer",
    "PostgresServer",
    "ProxiedKafka",
    "RedisServer",
    "RegistryServer",
    "ServiceError",
    "ServiceMissing",
    "aws_credentials",
    "cache_folder",
    "docker_answers",
    "free_port",
    "glue_url",
    "kafka_bootstrap",
    "kafka_container",
    "kafka_server",
    "moto_container",
    "moto_server",
    "postgres_container",
    "postgres_server",
    "postgres_url",
    "redis_command",
    "redis_container",
    "redis_server",
    "redis_url",
    "registry_container",
    "running",
    "s3_bucket",
    "s3_url",
    "schema_registry_server",
    "schema_registry_url",
    "session_server",
    "shared_glue_url",
    "shared_kafka_bootstrap",
    "shared_postgres_url",
    "shared_redis_url",
    "shared_s3_url",
    "shared_schema_registry_url",
    "unavailable",
    "unique_name",
]
