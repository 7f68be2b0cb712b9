package page

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds a text, in bytes.
const maxText = 2000

// languageTag matches what may be a language tag (RFC 5646 section 2.1).
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

// CheckLang says, as a predicate, why lang is not a language tag; "" if it is one.
func CheckLang(lang string) (wrong string) {
	if len(lang) > 35 || !languageTag.MatchString(lang) {
		return `is not a language tag such as "de" or "pt-BR"`
	}
	return ""
}

// CheckTexts returns what is wrong with texts, each beginning with its key.
func CheckTexts(byKey map[string]string) (faults []string) {
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		text, wrong := byKey[key], ""
		switch {
		case english[key] == "":
			wrong = "is not a key of EnglishTexts"
		case strings.TrimSpace(text) == "":
			wrong = "is empty"
		case len(text) > maxText:
			wrong = fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), maxText)
		case !utf8.ValidString(text):
			wrong = "is not UTF-8"
		case strings.ContainsFunc(text, unicode.IsControl):
			wrong = "has a control character"
		default:
			continue
		}
		faults = append(faults, fmt.Sprintf("[%q] %s", key, wrong))
	}
	return faults
}
