// Strict reads JSON by the models that Grafana generates from its own schemas, and says what they don't know.
//
// In:  on stdin, one JSON value a line: {"kind": "board", "name": ..., "body": ...}.
// Out: a line for each fault: name, then what is wrong where. Exit status 1 where there is one.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/alerting"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

type model interface {
	UnmarshalJSONStrict(raw []byte) error
	Validate() error
}

func modelOf(kind string) model {
	switch kind {
	case "board":
		return &dashboard.Dashboard{}
	case "rule":
		return &alerting.Rule{}
	case "contact point":
		return &alerting.ContactPoint{}
	}
	return nil
}

// said is what an error says; the SDK returns empty lists of faults as errors too.
func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func main() {
	plugins.RegisterDefaultPlugins()
	faults := 0
	lines := json.NewDecoder(os.Stdin)
	for {
		var thing struct {
			Kind, Name string
			Body       json.RawMessage
		}
		if err := lines.Decode(&thing); err == io.EOF {
			break
		} else if err != nil {
			fmt.Println("input:", err)
			os.Exit(2)
		}
		read := modelOf(thing.Kind)
		if read == nil {
			fmt.Println(thing.Name+":", "no model of", thing.Kind)
			os.Exit(2)
		}
		fault := said(read.UnmarshalJSONStrict(thing.Body))
		if fault == "" {
			fault = said(read.Validate())
		}
		if fault != "" {
			fmt.Printf("%s: %s\n", thing.Name, fault)
			faults++
		}
	}
	if faults > 0 {
		os.Exit(1)
	}
}
