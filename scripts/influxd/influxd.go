// Package influxd holds what Go builds when the tests ask for an InfluxDB.
package influxd

import _ "github.com/influxdata/influxdb/v2/cmd/influxd"
