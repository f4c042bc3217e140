//go:build !race

// The mutants run in another process, which the race detector does not see.

package mutants

// mutation is one way to break an adapter: texts of its source, each of which
// stands there once, and what they are replaced by.
type mutation struct {
	adapter, file, name string
	edits               []edit
	quick               bool // among the few that are tried by default
}

type edit struct{ old, new string }

func one(old, new string) []edit { return []edit{{old, new}} }

var mutations = append(append(ginMutations, echoMutations("askechov5", "c.Response()", "c.SetResponse(outer)")...),
	echoMutations("askechov4", "res.Writer", "res.Writer = outer")...)

var ginMutations = []mutation{
	{"askgin", "writer.go", "no Flush", one("w.core.Flush()", ""), false},
	{"askgin", "writer.go", "Flush goes past", one("w.core.Flush()", "w.ResponseWriter.Flush()"), false},
	{"askgin", "writer.go", "WriteString goes past", one("w.core.WriteString(s)", "w.ResponseWriter.WriteString(s)"), false},
	{"askgin", "writer.go", "Write goes past", one("w.core.Write(p)", "w.ResponseWriter.Write(p)"), false},
	{"askgin", "writer.go", "status committed early", one("		w.ResponseWriter.WriteHeader(code)", "		w.core.WriteHeader(code)"), true},
	{"askgin", "writer.go", "status after the first byte", one("	if !w.wrote {\n		w.set = true", "	if true {\n		w.set = true"), false},
	{"askgin", "writer.go", "always 200", one("	w.core.WriteHeader(status)", "	w.core.WriteHeader(http.StatusOK)"), false},
	{"askgin", "writer.go", "early hints stay", one("status < http.StatusOK && w.headed", "false"), false},
	{"askgin", "writer.go", "WriteHeaderNow sends nothing", one("	w.due = true\n	if w.headed {", "	w.due = true\n	if false {"), false},
	{"askgin", "writer.go", "late header goes along", one("if b.due {", "if false {"), false},
	{"askgin", "writer.go", "head sent before a byte", one("if b.due {", "if true {"), false},
	{"askgin", "writer.go", "no Unwrap", one("func (w *writer) Unwrap()", "func (w *writer) unwrap()"), false},
	{"askgin", "writer.go", "no Unwrap below", one("func (b *below) Unwrap()", "func (b *below) unwrap()"), false},
	{"askgin", "writer.go", "Written is the one below", one("return w.wrote || w.ResponseWriter.Written()", "return w.ResponseWriter.Written()"), false},
	{"askgin", "writer.go", "Size is the one below", one("return w.size\n", "return w.ResponseWriter.Size()\n"), false},
	{"askgin", "writer.go", "empty write forgotten", one("if w.wrote && !w.ResponseWriter.Written() {", "if false {"), false},
	{"askgin", "writer.go", "status without a body forgotten", one("if w.set && !w.wrote && !panicked {", "if false {"), false},
	{"askgin", "writer.go", "no Finish", one("resp.Finish(panicked)", ""), false},
	{"askgin", "writer.go", "panic taken for an end", one("resp.Finish(panicked)", "resp.Finish(false)"), false},
	{"askgin", "askgin.go", "writer not put back", one("			c.Writer = w.ResponseWriter\n", ""), false},
	{"askgin", "askgin.go", "another's writer replaced", one("if c.Writer == gin.ResponseWriter(w) {", "if true {"), false},
	{"askgin", "askgin.go", "request not replaced", one("	c.Request = resp.Request()\n", ""), false},
	{"askgin", "askgin.go", "prompt hidden by Gin's context", one("	c.Set(middleware.ContextKey, c.Request.Context().Value(middleware.ContextKey))\n", ""), false},
	{"askgin", "askgin.go", "wraps what has left", one(" && !c.Writer.Written()", ""), false},
	{"askgin", "askgin.go", "asks who everybody is", one("m.Eligible(c.Request) && ", ""), false},
	{"askgin", "askgin.go", "chain goes on behind an endpoint", one("			c.Abort()\n", ""), false},
	{"askgin", "askgin.go", "endpoints know nobody", one("userKey{}, user(c))", `userKey{}, "")`), false},
	{"askgin", "askgin.go", "writer used again", one("		w.finish(resp, panicked)\n", "		w.finish(resp, panicked)\n		defer spares.Put(w)\n"), false},
}

// echoMutations are those that both lines of Echo share: where stands for the
// place of the writer, back for how it is put back there.
func echoMutations(adapter, where, back string) []mutation {
	file := adapter + ".go"
	ms := []mutation{
		{adapter, file, "writer not put back", one(back, "_ = outer"), false},
		{adapter, file, "another's writer replaced", one("if "+where+" == inner {", "if true {"), false},
		{adapter, file, "request not replaced", one("	c.SetRequest(resp.Request())\n", ""), false},
		{adapter, file, "request put back", one("		resp.Finish(panicked)\n", "		resp.Finish(panicked)\n		c.SetRequest(r)\n"), false},
		{adapter, file, "no Finish", one("resp.Finish(panicked)", "_ = panicked"), false},
		{adapter, file, "panic taken for an end", one("resp.Finish(panicked)", "_, _ = panicked, resp; resp.Finish(false)"), false},
		{adapter, file, "error swallowed", one("	panicked = false\n	return err", "	panicked = false\n	_ = err\n	return nil"), false},
		{adapter, file, "asks who everybody is", one("m.Eligible(r) && ", ""), false},
		{adapter, file, "chain goes on behind an endpoint", one("r.WithContext(ctx))\n				return nil", "r.WithContext(ctx))\n				return next(c)"), false},
		{adapter, file, "endpoints know nobody", one("userKey{}, user(c))", `userKey{}, "")`), false},
	}
	ms[3].edits = append(ms[3].edits, edit{"	panicked := true\n", "	panicked, r := true, c.Request()\n"}, edit{"	c.SetRequest(resp.Request())\n", ""}, edit{"	err := next(c)\n", "	c.SetRequest(resp.Request())\n	err := next(c)\n"})
	if adapter == "askechov5" {
		const below = "func belowResponse(c *echo.Context) *echo.Response { r, _ := echo.UnwrapResponse(c.Response()); return r }\n\nfunc committed("
		return append(ms, mutation{adapter, file, "wraps what has left", one(" && !committed(c)", ""), false},
			mutation{adapter, file, "writer below the Response", []edit{
				{"m.Begin(c.Response(), r,", "m.Begin(belowResponse(c).ResponseWriter, r,"},
				{"	c.SetResponse(inner)\n", "	belowResponse(c).ResponseWriter = inner\n"}, {"func committed(", below},
			}, false})
	}
	return append(ms, mutation{adapter, file, "wraps what has left", one(" && !c.Response().Committed", ""), false})
}
