"""The same thinking, carried by Kafka: for the city that outgrew one process.

    settings    which Kafka, and how to reach it
    topics      the topic table on a broker: made, or compared
    admin       what a broker says of topics and their ends
    writer      records out: transactions of the collector, deliveries of the workers

docs/kafka.md tells how it is run, docs/decisions/0009-time-is-written-into-the-log.md how time gets through.
"""
