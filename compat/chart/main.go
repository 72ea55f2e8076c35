// Reads what a chart renders from standard input, as strictly as Kubernetes does with field validation on: a field that
// its API does not know is an error. Prints a line a resource; writes the entries of config maps to the folder given.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"bufio"
)

// Resources of others, of which there is no type here.
var foreign = map[string]bool{"ServiceMonitor": true}

func main() {
	if err := read(os.Stdin, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(from io.Reader, folder string) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(from))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var head struct {
			Kind     string `json:"kind"`
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			return fmt.Errorf("%w in\n%s", err, document)
		}
		if head.Kind == "" {
			continue
		}
		if err := decode(head.Kind, document, folder); err != nil {
			return fmt.Errorf("%s %s: %w", head.Kind, head.Metadata.Name, err)
		}
		fmt.Println(head.Kind, head.Metadata.Name)
	}
}

func decode(kind string, document []byte, folder string) error {
	switch kind {
	case "StatefulSet":
		var set apps.StatefulSet
		if err := yaml.UnmarshalStrict(document, &set); err != nil {
			return err
		}
		for key, value := range set.Spec.Selector.MatchLabels {
			if set.Spec.Template.Labels[key] != value {
				return fmt.Errorf("the selector's %s is not a label of its pods", key)
			}
		}
		return nil
	case "Service":
		return yaml.UnmarshalStrict(document, &core.Service{})
	case "PodDisruptionBudget":
		return yaml.UnmarshalStrict(document, &policy.PodDisruptionBudget{})
	case "ConfigMap":
		var entries core.ConfigMap
		if err := yaml.UnmarshalStrict(document, &entries); err != nil {
			return err
		}
		for name, text := range entries.Data {
			if err := os.WriteFile(filepath.Join(folder, name), []byte(text+"\n"), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	if foreign[kind] {
		var any map[string]any
		return yaml.UnmarshalStrict(document, &any)
	}
	return fmt.Errorf("a kind that nobody checks")
}
