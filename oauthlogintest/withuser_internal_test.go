package oauthlogintest

import "testing"

func TestMustBeTest(t *testing.T) {
	t.Parallel()
	mustBeTest(testing.Testing())
	defer func() {
		if recover() == nil {
			t.Error("a program that is no test gets sessions from WithUser")
		}
	}()
	mustBeTest(false)
}
