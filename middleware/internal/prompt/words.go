package prompt

import (
	"slices"

	"golang.org/x/text/language"
)

// Texts are the words of one prompt in one language. They are plain text.
type Texts struct {
	// Language is the BCP 47 tag of the words; the element's lang and dir follow
	// from it.
	Language string `json:"-"`

	Title   string   `json:"title"`
	Text    string   `json:"text"`
	Facts   []string `json:"facts"` // what to know before: by voice, how long, what it takes
	Start   string   `json:"start"`
	Later   string   `json:"later"`
	Decline string   `json:"decline"`

	// The start endpoint's own pages, for a user who cannot go on to the
	// interview: it takes no more answers, has had the user's, cannot be had
	// now, or nobody is signed in. Back leads to the app.
	Closed      string `json:"-"`
	Completed   string `json:"-"`
	Unavailable string `json:"-"`
	SignedOut   string `json:"-"`
	Back        string `json:"-"`
}

// words are in the languages in which the provider interviews. The first is
// for visitors with whom there is nothing in common.
var words = []Texts{
	{
		Language: "en",
		Title:    "Do you have a few minutes for us?",
		Text:     "We would love to hear, in your own words, what works well for you and what does not.",
		Facts:    []string{"Voice interview", "About 10 minutes", "Needs a microphone", "Opens in a new tab"},
		Start:    "Start the interview", Later: "Later", Decline: "No thanks",
		Closed:      "This interview is not taking any more participants at the moment.",
		Completed:   "You have already done this interview. Thank you!",
		Unavailable: "The interview cannot be opened right now. Please try again in a few minutes.",
		SignedOut:   "Please sign in first, then open the interview again.",
		Back:        "Back to the app",
	},
	{
		Language: "es",
		Title:    "¿Tienes unos minutos para nosotros?",
		Text:     "Nos encantaría que nos contaras, con tus palabras, qué te funciona bien y qué no.",
		Facts:    []string{"Entrevista por voz", "Unos 10 minutos", "Requiere micrófono", "Se abre en otra pestaña"},
		Start:    "Empezar la entrevista", Later: "Más tarde", Decline: "No, gracias",
		Closed:      "Por ahora, esta entrevista no admite más participantes.",
		Completed:   "Tu participación en esta entrevista ya está registrada. ¡Muchas gracias!",
		Unavailable: "En este momento no se puede abrir la entrevista. Inténtalo de nuevo en unos minutos.",
		SignedOut:   "Primero inicia sesión y luego vuelve a abrir la entrevista.",
		Back:        "Volver a la aplicación",
	},
	{
		Language: "de",
		Title:    "Haben Sie ein paar Minuten für uns?",
		Text:     "Wir würden gern von Ihnen hören, was für Sie gut funktioniert und was nicht.",
		Facts:    []string{"Mündliches Interview", "Etwa 10 Minuten", "Mikrofon erforderlich", "Öffnet sich in neuem Tab"},
		Start:    "Interview starten", Later: "Später", Decline: "Nein, danke",
		Closed:      "An diesem Interview können zurzeit keine weiteren Personen teilnehmen.",
		Completed:   "Sie haben an diesem Interview bereits teilgenommen. Vielen Dank!",
		Unavailable: "Das Interview lässt sich gerade nicht öffnen. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
		SignedOut:   "Bitte melden Sie sich zuerst an und öffnen Sie das Interview dann noch einmal.",
		Back:        "Zurück zur App",
	},
	{
		Language: "fr",
		Title:    "Auriez-vous quelques minutes pour nous\u00a0?",
		Text:     "Nous aimerions savoir, avec vos mots, ce qui fonctionne bien pour vous et ce qui fonctionne moins bien.",
		Facts:    []string{"Entretien vocal", "Environ 10\u00a0minutes", "Micro nécessaire", "S’ouvre dans un nouvel onglet"},
		Start:    "Commencer l’entretien", Later: "Plus tard", Decline: "Non merci",
		Closed:      "Cet entretien n’est pas ouvert à d’autres participants pour le moment.",
		Completed:   "Vous avez déjà participé à cet entretien. Merci beaucoup\u00a0!",
		Unavailable: "L’entretien ne peut pas être ouvert pour l’instant. Veuillez réessayer dans quelques minutes.",
		SignedOut:   "Veuillez d’abord vous connecter, puis ouvrir à nouveau l’entretien.",
		Back:        "Retour à l’application",
	},
	{
		Language: "it",
		Title:    "Hai qualche minuto per noi?",
		Text:     "Ci piacerebbe sapere, con parole tue, che cosa funziona bene per te e che cosa no.",
		Facts:    []string{"Intervista vocale", "Circa 10 minuti", "Serve un microfono", "Si apre in una nuova scheda"},
		Start:    "Inizia l’intervista", Later: "Più tardi", Decline: "No, grazie",
		Closed:      "Al momento questa intervista non è aperta ad altri partecipanti.",
		Completed:   "Hai già partecipato a questa intervista. Grazie mille!",
		Unavailable: "Al momento non è possibile aprire l’intervista. Riprova tra qualche minuto.",
		SignedOut:   "Prima accedi, poi apri di nuovo l’intervista.",
		Back:        "Torna all’app",
	},
	{
		Language: "pt", // worded to read well in Brazil and in Portugal
		Title:    "Tem alguns minutos para conversar?",
		Text:     "Gostaríamos de saber, com as suas próprias palavras, o que funciona bem e o que não funciona.",
		Facts:    []string{"Entrevista por voz", "Cerca de 10 minutos", "Requer microfone", "Abre em nova página"},
		Start:    "Começar a entrevista", Later: "Mais tarde", Decline: "Não, obrigado",
		Closed:      "Neste momento, esta entrevista não aceita mais participantes.",
		Completed:   "Já participou nesta entrevista. Agradecemos muito!",
		Unavailable: "Não é possível abrir a entrevista agora. Tente novamente dentro de alguns minutos.",
		SignedOut:   "Primeiro inicie sessão e depois abra novamente a entrevista.",
		Back:        "Voltar ao início",
	},
	{
		Language: "nb", // the provider's "no"
		Title:    "Har du noen minutter til oss?",
		Text:     "Vi vil gjerne høre, med dine egne ord, hva som fungerer bra for deg og hva som ikke gjør det.",
		Facts:    []string{"Muntlig intervju", "Omtrent 10 minutter", "Krever mikrofon", "Åpnes i en ny fane"},
		Start:    "Start intervjuet", Later: "Senere", Decline: "Nei takk",
		Closed:      "Dette intervjuet er ikke åpent for flere deltakere akkurat nå.",
		Completed:   "Du har allerede gjennomført dette intervjuet. Tusen takk!",
		Unavailable: "Intervjuet kan ikke åpnes akkurat nå. Prøv igjen om noen minutter.",
		SignedOut:   "Logg inn først, og åpne deretter intervjuet på nytt.",
		Back:        "Tilbake til appen",
	},
}

var wordsMatcher = func() language.Matcher {
	var tags []language.Tag
	for _, w := range words {
		tags = append(tags, language.MustParse(w.Language))
	}
	return language.NewMatcher(tags)
}()

// wordsFor returns the built-in words that suit one of the languages, most
// wanted first, best. They are the caller's own.
func wordsFor(wanted ...string) Texts {
	var tags []language.Tag
	for _, w := range wanted {
		if tag, err := language.Parse(w); err == nil {
			tags = append(tags, tag)
		}
	}
	_, i, _ := wordsMatcher.Match(tags...)
	t := words[i]
	t.Facts = slices.Clone(t.Facts)
	return t
}

// Languages in these scripts are written from right to left (Unicode Standard,
// table 4-6).
var rightToLeft = []string{"Adlm", "Arab", "Aran", "Hebr", "Mand", "Mend", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi"}

// direction is the value of the dir attribute for words in a language.
func direction(lang string) string {
	tag, err := language.Parse(lang)
	if err != nil {
		return "auto"
	}
	if script, _ := tag.Script(); slices.Contains(rightToLeft, script.String()) {
		return "rtl"
	}
	return "ltr"
}
