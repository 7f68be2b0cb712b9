package browser

import (
	"net/http"
	"strings"
	"testing"
)

func TestLanguage(t *testing.T) {
	tags := []string{"en", "de-AT", "pt-BR", "pt"}
	for _, tt := range []struct {
		name   string
		accept []string
		want   string
	}{
		{"none", nil, "en"},
		{"of another language", []string{"fr-FR,fr;q=0.9"}, "en"},
		{"the tag itself", []string{"pt-BR"}, "pt-BR"},
		{"in another case", []string{"PT-br"}, "pt-BR"},
		{"a variant that there is not", []string{"pt-PT"}, "pt"},
		{"a variant of a variant", []string{"pt-BR-x-a"}, "pt-BR"},
		{"a language of which there is a variant", []string{"de"}, "de-AT"},
		{"another variant of that language", []string{"de-CH"}, "en"},
		{"the first of equals", []string{"de, pt"}, "de-AT"},
		{"the weightiest", []string{"en;q=0.5, de;q=0.8, pt ; q=0.6"}, "de-AT"},
		{"after one that there is not", []string{"fr, pt;q=0.1"}, "pt"},
		{"in two lines", []string{"fr", "de"}, "de-AT"},
		{"excluded", []string{"de;q=0"}, "en"},
		{"a weight that is no number", []string{"de;q=nan, pt;q=x"}, "en"},
		{"any, weightier", []string{"*;q=0.9, de;q=0.5"}, "en"},
		{"no tag", []string{"-,,d, -de,;q=1"}, "en"},
		{"too long", []string{strings.Repeat(" ", 512) + "de"}, "en"},
	} {
		if got := tags[Language(&http.Request{Header: http.Header{"Accept-Language": tt.accept}}, tags)]; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
