// Logs a user in at the login pages with the package x/oauth2. The end-to-end tests run it.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/oauth2"
)

type settings struct {
	Issuer, ClientID, ClientSecret, RedirectURI string
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func random() string {
	bytes := make([]byte, 32)
	_, err := rand.Read(bytes)
	check(err)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

func main() {
	var values settings
	check(json.Unmarshal([]byte(os.Getenv("COUNTERSIGN")), &values))
	config := oauth2.Config{
		ClientID:     values.ClientID,
		ClientSecret: values.ClientSecret,
		RedirectURL:  values.RedirectURI,
		Scopes:       []string{"orders:read"},
		Endpoint:     oauth2.Endpoint{AuthURL: values.Issuer + "/oauth/authorize", TokenURL: values.Issuer + "/oauth/token"},
	}
	verifier, state := random(), random()
	challenge := sha256.Sum256([]byte(verifier))
	address := config.AuthCodeURL(state,
		oauth2.SetAuthURLParam("code_challenge", base64.RawURLEncoding.EncodeToString(challenge[:])),
		oauth2.SetAuthURLParam("code_challenge_method", "S256"))
	output, err := exec.Command("python", "tests/e2e/scripted_browser.py", address).Output()
	check(err)
	returned, err := url.Parse(strings.TrimSpace(string(output)))
	check(err)
	if returned.Query().Get("state") != state {
		log.Fatalf("another state: %s", returned)
	}
	token, err := config.Exchange(context.Background(), returned.Query().Get("code"),
		oauth2.SetAuthURLParam("code_verifier", verifier))
	check(err)
	text, err := json.Marshal(token)
	check(err)
	fmt.Println(string(text))
}
