// A peer for the interoperability test, with hashicorp's yamux: dials the given address as "client" or
// "server" of the session, echoes every stream it accepts, and itself opens streams and checks their echoes.
// Prints one line when its own streams are done, and ends with the session.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"

	"github.com/hashicorp/yamux"
)

func echo(stream *yamux.Stream) {
	if _, err := io.Copy(stream, stream); err != nil {
		return // the other side resets some on purpose
	}
	stream.Close()
}

func ask(session *yamux.Session, number int, size int) {
	stream, err := session.OpenStream()
	if err != nil {
		log.Fatalf("open: %v", err)
	}
	payload := bytes.Repeat([]byte{byte(number)}, size)
	go func() {
		if _, err := stream.Write(payload); err != nil {
			log.Fatalf("write: %v", err)
		}
		stream.Close()
	}()
	answer, err := io.ReadAll(stream)
	if err != nil {
		log.Fatalf("read: %v", err)
	}
	if !bytes.Equal(answer, payload) {
		log.Fatalf("stream %d: %d bytes came back of %d", number, len(answer), size)
	}
}

func main() {
	address, role := os.Args[1], os.Args[2]
	streams, _ := strconv.Atoi(os.Args[3])
	size, _ := strconv.Atoi(os.Args[4])
	connection, err := net.Dial("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	config := yamux.DefaultConfig()
	config.MaxStreamWindowSize = 1 << 20
	config.LogOutput = io.Discard
	start := yamux.Client
	if role == "server" {
		start = yamux.Server
	}
	session, err := start(connection, config)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		var all sync.WaitGroup
		for number := 0; number < streams; number++ {
			all.Add(1)
			go func() {
				defer all.Done()
				ask(session, number, size)
			}()
		}
		all.Wait()
		if _, err := session.Ping(); err != nil {
			log.Fatalf("ping: %v", err)
		}
		fmt.Println("done")
	}()
	for {
		stream, err := session.AcceptStream()
		if err != nil {
			return
		}
		go echo(stream)
	}
}
