"""MQTT in, frames out: take messages, decode them, refuse nonsense, and acknowledge only what is kept.

    messages    what a broker delivered, as it came
    recording   messages in a file: read and written
    intake      messages to frames, events and dead letters (pure)
    routing     what a topic says (pure)
    decoders    what a payload says (pure)
    mqtt        the client: a broker's messages to a store, acknowledged after they are stored
    play        a recording to a broker, at a chosen rate
    settings    which broker, and how to reach it

Delivery, hop by hop:

    device  -> broker     the device's own affair; with QoS 1 it repeats until the broker has it
    broker  -> collector  at least once: QoS 1, a session that outlives the connection, PUBACK only after
                          ``store`` returned; whoever dies before is sent everything again
    collector -> store    at least once, in the order of arrival
    store   -> results    effects once, because ids follow from content and repeated readings change nothing
"""
