// Checks deployment files by the schemas of the programs that read them: Grafana's dashboards by its SDK's types, the
// OpenTelemetry collector's configuration by its own components. Arguments: the directory deploy.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/otelcol/otelcoltest"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/batchprocessor"
	"go.opentelemetry.io/collector/processor/memorylimiterprocessor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func checkDashboards(dir string) error {
	plugins.RegisterDefaultPlugins()
	files, err := filepath.Glob(filepath.Join(dir, "grafana/dashboards/*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no dashboard", dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var strict dashboard.Dashboard
		// An empty list of errors is an error value too.
		for _, err := range []error{strict.UnmarshalJSONStrict(text), strict.Validate(), checkIDs(text)} {
			if err != nil && err.Error() != "" {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// Panels with the same id replace one another.
func checkIDs(text []byte) error {
	var board struct{ Panels []struct{ ID int } }
	if err := json.Unmarshal(text, &board); err != nil {
		return err
	}
	seen := map[int]bool{}
	for _, panel := range board.Panels {
		if seen[panel.ID] {
			return fmt.Errorf("two panels have the id %d", panel.ID)
		}
		seen[panel.ID] = true
	}
	return nil
}

func checkCollector(dir string) error {
	factories := otelcol.Factories{
		Receivers:  map[component.Type]receiver.Factory{},
		Processors: map[component.Type]processor.Factory{},
		Exporters:  map[component.Type]exporter.Factory{},
		Telemetry:  otelconftelemetry.NewFactory(),
	}
	for _, factory := range []receiver.Factory{otlpreceiver.NewFactory()} {
		factories.Receivers[factory.Type()] = factory
	}
	for _, factory := range []processor.Factory{batchprocessor.NewFactory(), memorylimiterprocessor.NewFactory()} {
		factories.Processors[factory.Type()] = factory
	}
	for _, factory := range []exporter.Factory{debugexporter.NewFactory(), otlphttpexporter.NewFactory()} {
		factories.Exporters[factory.Type()] = factory
	}
	_, err := otelcoltest.LoadConfigAndValidate(filepath.Join(dir, "otel/collector.yml"), factories)
	return err
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: deploy-check <directory deploy>")
		os.Exit(2)
	}
	for _, check := range []func(string) error{checkDashboards, checkCollector} {
		if err := check(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
