package main

import (
	"encoding/json"
	"net/http"

	"github.com/claviger-go/claviger/keystore"
	"github.com/claviger-go/claviger/middleware"
)

// item is a thing that can be done, or booked.
type item struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

func eventSeries(w http.ResponseWriter, r *http.Request) {
	items := []item{{"EventSeries", "Lorem Fitsum Yoga"}, {"EventSeries", "Lorem Fitsum Spin"}}
	if middleware.Principal(r.Context()).Env() == keystore.EnvLive {
		items = []item{{"EventSeries", "Badminton at Brook Green"}, {"EventSeries", "Lane swimming at Kensington"}}
	}
	answer(w, items)
}

func facilityUses(w http.ResponseWriter, _ *http.Request) {
	answer(w, []item{{"FacilityUse", "Tennis court at Brook Green"}})
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) //nolint:errchkjson // texts and times alone; and the client may be gone
}
