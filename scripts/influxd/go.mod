module crosscurrent/influxd

go 1.22

require github.com/influxdata/influxdb/v2 v2.7.12

// As in influxdb's own go.mod: replacements of a module that is required are not looked at.
replace github.com/nats-io/nats-streaming-server v0.11.2 => github.com/influxdata/nats-streaming-server v0.11.3-0.20201112040610-c277f7560803
