package storetest

func capabilityCases() []testCase {
	var cases []testCase
	for _, c := range []struct {
		name       string
		capability needs
	}{
		{"AdminStore", adminStore},
		{"Watcher", watcher},
		{"UsageStore", usageStore},
		{"RateStore", rateStore},
	} {
		cases = append(cases, testCase{c.name, anyStore, func(t *trial) {
			declared := t.suite.capabilities()&c.capability != 0
			for _, h := range []*handle{t.here, t.there} {
				switch has := h.has()&c.capability != 0; {
				case declared && !has:
					t.wrongf("%s (%T) is no keystore.%s, which Config declares: it is missing, or lost in a wrapper", h.name, h.KeyStore, c.name)
				case has && !declared:
					t.wrongf("%s (%T) is a keystore.%s, which Config does not declare: set Config.%[3]s, or it goes untested", h.name, h.KeyStore, c.name)
				}
			}
		}})
	}
	return cases
}
