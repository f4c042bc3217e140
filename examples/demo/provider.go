package main

import "github.com/askonce/askonce/userjourneys/userjourneystest"

// provider is the fake provider with the demo's study.
type provider struct {
	*userjourneystest.Server
	study  userjourneystest.Study
	secret string // the webhook's, shown only when it is created
}

func startProvider() *provider {
	fake := userjourneystest.Start(nil)
	return &provider{Server: fake, study: fake.AddStudy(userjourneystest.Study{Name: "Onboarding Feedback"})}
}

// change changes some of the provider's conditions.
func (p *provider) change(set func(c *userjourneystest.Conditions)) {
	c := p.Conditions()
	set(&c)
	p.SetConditions(c)
}
