package interop_test

import "github.com/oauthlogin/oauthlogin"

// german has the longest words that the pages are likely to show.
var german = oauthlogin.Texts{Lang: "de", ByKey: map[string]string{
	"access_denied.title":                    "Die Anmeldung wurde abgebrochen",
	"access_denied.text":                     "Sie wurden nicht angemeldet, weil der Zugriff verweigert oder die Anmeldung abgebrochen wurde.",
	"authorization_failed.title":             "Die Anmeldung hat nicht funktioniert",
	"authorization_failed.text":              "Der Anmeldedienst hat die Anmeldung nicht abgeschlossen. Bitte versuchen Sie es noch einmal.",
	"provider_unavailable.title":             "Die Anmeldung ist zurzeit nicht verfügbar",
	"provider_unavailable.text":              "Der Anmeldedienst ist im Augenblick nicht erreichbar. Bitte versuchen Sie es später noch einmal.",
	"flow_not_found.title":                   "Die Anmeldung konnte nicht zugeordnet werden",
	"flow_not_found.text":                    "Diese Anmeldung wurde unter einer anderen Adresse dieser Website oder in einem anderen Browser begonnen. Vielleicht ist der Link auch veraltet, oder der Browser nimmt keine Cookies an.",
	"flow_expired.title":                     "Die Anmeldung hat zu lange gedauert",
	"flow_expired.text":                      "Aus Sicherheitsgründen muss eine Anmeldung innerhalb von fünf Minuten abgeschlossen werden. Bitte beginnen Sie von vorn.",
	"unauthenticated.title":                  "Bitte melden Sie sich an",
	"unauthenticated.text":                   "Sie sind nicht angemeldet, deshalb wurde nichts geändert. Nach der Anmeldung kommen Sie zurück und können es noch einmal versuchen.",
	"insufficient_user_authentication.title": "Bitte bestätigen Sie Ihre Anmeldung",
	"insufficient_user_authentication.text":  "Hierfür ist eine neuere oder stärkere Anmeldung nötig, deshalb wurde nichts geändert.",
	"insufficient_scope.title":               "Eine weitere Berechtigung ist erforderlich",
	"insufficient_scope.text":                "Hierfür ist eine Berechtigung beim Anmeldedienst nötig, die Sie noch nicht erteilt haben. Es wurde nichts geändert.",
	"flow_used.title":                        "Die Anmeldung ist bereits abgeschlossen",
	"flow_used.text":                         "Diese Anmeldung wurde schon abgeschlossen oder zweimal geöffnet.",
	"cookies_lost.title":                     "Ihr Browser merkt sich die Anmeldung nicht",
	"cookies_lost.text":                      "Die Anmeldung war erfolgreich, aber der Browser hat das Cookie nicht zurückgesendet. Bitte erlauben Sie Cookies für diese Website.",
	"unavailable.title":                      "Vorübergehend nicht verfügbar",
	"unavailable.text":                       "Diese Website kann Ihre Anmeldung im Augenblick nicht prüfen. Sie wurden nicht abgemeldet. Bitte versuchen Sie es in einigen Sekunden noch einmal.",
	"forbidden.title":                        "Keine Zugriffsberechtigung",
	"forbidden.text":                         "Sie sind angemeldet, aber Ihr Benutzerkonto hat keinen Zugriff auf diese Seite.",
	"sign_in_refused.title":                  "Sie können sich hier nicht anmelden",
	"sign_in_refused.text":                   "Der Anmeldedienst hat bestätigt, wer Sie sind, aber diese Website lässt dieses Benutzerkonto nicht zu.",
	"step_up_failed.title":                   "Bitte melden Sie sich noch einmal an",
	"step_up_failed.text":                    "Diese Seite verlangt eine neuere oder stärkere Anmeldung als die, die Sie abgeschlossen haben.",
	"cross_origin.title":                     "Die Anfrage wurde abgelehnt",
	"cross_origin.text":                      "Eine andere Website hat diese Anfrage gesendet, deshalb wurde nichts geändert.",
	"invalid_request.title":                  "Die Anfrage war nicht verständlich",
	"invalid_request.text":                   "Dieser Link ist unvollständig oder kann nicht direkt geöffnet werden.",
	"session_too_large.title":                "Die Anmeldung konnte nicht abgeschlossen werden",
	"session_too_large.text":                 "Der Anmeldedienst hat mehr gesendet, als diese Website behalten kann.",
	"internal.title":                         "Es ist ein Fehler aufgetreten",
	"internal.text":                          "Die Anmeldung konnte nicht abgeschlossen werden. Bitte versuchen Sie es später noch einmal.",
	"chooser.title":                          "Anmeldung",
	"chooser.text":                           "Wählen Sie den Anmeldedienst aus, bei dem Sie sich anmelden möchten.",
	"button.continue":                        "Weiter",
	"button.home":                            "Zur Startseite",
	"button.other_account":                   "Mit einem anderen Benutzerkonto anmelden",
	"button.sign_in":                         "Anmelden",
	"button.sign_out":                        "Abmelden",
	"button.try_again":                       "Noch einmal versuchen",
	"reference":                              "Fehlerkennung:",
}}

// arabic runs from right to left.
var arabic = oauthlogin.Texts{Lang: "ar", ByKey: map[string]string{
	"chooser.title": "تسجيل الدخول",
	"chooser.text":  "اختر مزود الخدمة لتسجيل الدخول.",
}}
