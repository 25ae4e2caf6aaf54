package double

import (
	"encoding/json"
	"io"
	"net/http"
)

// serveControl lets people change the double while it runs:
//
//	GET    /_double/songs           the catalogue
//	GET    /_double/requests        what was asked
//	DELETE /_double/requests        forget it
//	POST   /_double/faults?id=ID    a [Fault] as JSON; no id: for all
//	DELETE /_double/faults?id=ID    end them
//	POST   /_double/expire          make all links too old
//	GET    /_double/ca.pem          the proxy's authority
func (d *Double) serveControl(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	switch r.Method + " " + r.URL.Path {
	case "GET /_double/songs":
		var list []object
		for _, s := range d.Songs() {
			f := d.peek(asked{stage: atPlayer, id: s.ID, identity: "VISIONOS"})
			list = append(list, object{"id": s.ID, "title": s.Title, "channel": s.Channel, "seconds": int(s.Length.Seconds()), "fault": f.Kind})
		}
		writeJSON(w, http.StatusOK, list)
	case "GET /_double/requests":
		writeJSON(w, http.StatusOK, d.Requests())
	case "DELETE /_double/requests":
		d.Forget()
		w.WriteHeader(http.StatusNoContent)
	case "POST /_double/faults":
		var f Fault
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&f); err != nil || !f.Kind.Known() {
			http.Error(w, "the body is to be a fault, such as {\"kind\":\"private\",\"times\":3}", http.StatusBadRequest)
			return
		}
		d.Fail(id, f)
		w.WriteHeader(http.StatusNoContent)
	case "DELETE /_double/faults":
		d.Heal(id)
		w.WriteHeader(http.StatusNoContent)
	case "POST /_double/expire":
		d.ExpireLinks()
		w.WriteHeader(http.StatusNoContent)
	case "GET /_double/ca.pem":
		w.Header().Set("Content-Type", "application/x-pem-file")
		_, _ = w.Write(d.CA()) // the client's problem
	default:
		http.NotFound(w, r)
	}
}
