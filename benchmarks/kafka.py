"""The thinking on Kafka beside Quix Streams, and how quickly an alarm is there: see onkafka.py.

A module of this file's name would hide kafka-python from those that need it.
"""

from onkafka import main

if __name__ == "__main__":
    main()
