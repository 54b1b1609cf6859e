# fish completion of the command homeport; it is asked when TAB is pressed, not when the shell starts
complete --command homeport --no-files \
    --arguments "(env _HOMEPORT_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS=(commandline -cp) homeport)" \
    --condition "env _HOMEPORT_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=is-args _TYPER_COMPLETE_ARGS=(commandline -cp) homeport"
