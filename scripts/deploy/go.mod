module crosscurrent/check

go 1.24

require (
	github.com/compose-spec/compose-go/v2 v2.16.2
	k8s.io/api v0.31.4
	k8s.io/apimachinery v0.31.4
	sigs.k8s.io/kustomize/api v0.18.0
	sigs.k8s.io/kustomize/kyaml v0.18.1
)
