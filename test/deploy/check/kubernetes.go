package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	apps "k8s.io/api/apps/v1"
	scaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kubernetes prints what it found, one "kind name" a line.
func kubernetes(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var errs []error
	for i, document := range strings.Split("\n"+string(data), "\n---\n") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		if err := object([]byte(document)); err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func object(document []byte) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return err
	}
	into := map[string]any{
		"v1/ConfigMap":                           &core.ConfigMap{},
		"v1/Secret":                              &core.Secret{},
		"v1/Service":                             &core.Service{},
		"apps/v1/Deployment":                     &apps.Deployment{},
		"autoscaling/v2/HorizontalPodAutoscaler": &scaling.HorizontalPodAutoscaler{},
		"networking.k8s.io/v1/Ingress":           &networking.Ingress{},
		"networking.k8s.io/v1/NetworkPolicy":     &networking.NetworkPolicy{},
		"policy/v1/PodDisruptionBudget":          &policy.PodDisruptionBudget{},
	}[head.APIVersion+"/"+head.Kind]
	if into == nil || head.Metadata.Name == "" {
		return fmt.Errorf("%s %s %q is nothing this check knows", head.APIVersion, head.Kind, head.Metadata.Name)
	}
	// Strict: unknown fields and repeated keys are errors.
	if err := yaml.UnmarshalStrict(document, into); err != nil {
		return err
	}
	fmt.Println(head.Kind, head.Metadata.Name)
	return nil
}
