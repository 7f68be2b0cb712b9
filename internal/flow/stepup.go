package flow

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/oauthlogin/oauthlogin/internal/record"
	"github.com/oauthlogin/oauthlogin/internal/seal"
)

// StepUpParam carries the parameters of a login from a URL that the package hands out to the
// start of that login, and its scopes among them.
const StepUpParam = "step_up"

// stepUpAge is how long such a URL starts its login.
const stepUpAge = 24 * time.Hour

// SealStepUp seals what a login at a provider asks for, so that a link cannot ask for
// anything else, at another provider, or for long.
func (fs *Flows) SealStepUp(provider record.ProviderTag, params url.Values, scopes []string) (string, error) {
	all := url.Values{}
	maps.Copy(all, params)
	if len(scopes) > 0 {
		all.Set("scope", strings.Join(scopes, " "))
	}
	p := seal.NewPacker()
	p.Time(time.Now())
	p.String(all.Encode())
	return fs.sealer.Seal(stepUpName(provider), p.Pack())
}

// stepUpName is the name that the step-ups of a provider are sealed under.
func stepUpName(provider record.ProviderTag) string {
	return StepUpParam + "." + base64.RawURLEncoding.EncodeToString(provider[:])
}

var errStepUpOld = errors.New("it is more than a day old")

// OpenStepUp opens what SealStepUp has sealed for a provider.
func (fs *Flows) OpenStepUp(provider record.ProviderTag, sealed string) (params url.Values, scopes []string, err error) {
	query := ""
	if packed, _, err := fs.sealer.Open(stepUpName(provider), sealed); err == nil {
		u, err := seal.Unpack(packed)
		if err != nil {
			return nil, nil, err
		}
		at := u.Time()
		if query = u.String(); u.Err() == nil && time.Since(at) > stepUpAge {
			return nil, nil, errStepUpOld
		}
		if u.Err() != nil {
			return nil, nil, u.Err()
		}
	} else if query, err = fs.openOldStepUp(sealed); err != nil {
		return nil, nil, err
	}
	if params, err = url.ParseQuery(query); err != nil {
		return nil, nil, err
	}
	scopes = strings.Fields(params.Get("scope"))
	delete(params, "scope")
	return params, scopes, nil
}

// openOldStepUp opens what the version before sealed, for any provider and any time.
func (fs *Flows) openOldStepUp(sealed string) (query string, err error) {
	packed, _, err := fs.sealer.Open(StepUpParam, sealed)
	if err != nil {
		return "", err
	}
	return seal.UnpackText(packed)
}
