// An app that renders the prompt itself, in the way of its time: effects run twice, and queries are fetched again all the time.
import { StrictMode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { QueryClient, QueryClientProvider, useQuery, useQueryClient } from "@tanstack/react-query";
import { createAskonce } from "/askonce/askonce.js";

const askonce = createAskonce();
self.fetched = self.rendered = self.effects = 0;

const useDecision = () =>
  useQuery({
    queryKey: ["askonce"],
    queryFn: ({ signal }) => askonce.decide({ signal }).finally(() => self.fetched++),
    staleTime: 0,
    refetchOnWindowFocus: "always",
  });

function Prompt() {
  const { data: d } = useDecision(), queries = useQueryClient(), card = useRef(null);
  self.rendered++;
  useEffect(() => {
    self.effects++;
    if (d?.ask) return askonce.observe(card.current, d);
  }, [d]);
  if (!d?.ask) return null;
  const decline = async () => {
    await askonce.decline(d);
    await queries.invalidateQueries({ queryKey: ["askonce"] });
  };
  return (
    <aside ref={card} aria-label={d.texts.title} lang={d.language} dir={d.direction}>
      <h2>{d.texts.title}</h2>
      <a href={d.links.start} target="_blank" rel="noopener" onClick={() => askonce.started(d)}>{d.texts.start}</a>
      <button id="decline" onClick={decline}>{d.texts.decline}</button>
    </aside>
  );
}

function App() {
  const [view, setView] = useState(1), queries = useQueryClient();
  useDecision(); // by another component too
  return (
    <main>
      <h1>View {view}</h1>
      <button id="next" onClick={() => setView(view + 1)}>Next</button>
      <button id="refetch" onClick={() => queries.refetchQueries()}>Refetch</button>
      <Prompt key={view} />
    </main>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <QueryClientProvider client={new QueryClient()}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
