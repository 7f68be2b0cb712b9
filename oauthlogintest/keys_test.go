package oauthlogintest_test

import (
	"crypto"
	"testing"
)

func TestRotateKeys(t *testing.T) {
	p := start(t)
	p.AutoApprove("alice")
	b := newBrowser(t)
	before := b.signIn(p)
	oldKey, oldID := p.SigningKey()
	p.RotateKeys()
	if key, id := p.SigningKey(); id == oldID || samePublicKey(key, oldKey) {
		t.Error("the key did not change")
	}
	if _, err := tryVerify(t, p, before); err == nil {
		t.Error("the old key is still in the JWKS")
	}
	verify(t, p, b.signIn(p))
}

func TestProvidersDoNotShareKeys(t *testing.T) {
	a, _ := start(t).SigningKey()
	b, _ := start(t).SigningKey()
	if samePublicKey(a, b) {
		t.Error("two providers have the same key")
	}
}

func TestSetKeyAlgPanics(t *testing.T) {
	p := start(t)
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	p.SetKeyAlg("HS256")
}

func samePublicKey(a, b crypto.Signer) bool {
	return a.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(b.Public())
}
