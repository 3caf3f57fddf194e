"""A stand-in for a schema registry, which speaks as much of Confluent's API as Avro needs.

It is no registry that anyone runs. It is here because none can be had without a Docker engine:
Confluent's jars are not on Maven Central, and neither are those of Apicurio's application. Where an
engine answers, the tests run on Apicurio Registry instead.

It is strict: it takes no schema that is none, no unknown field, no other content type, and it
refuses a schema that may not follow the last (by default, one that could not read its data).
"""
