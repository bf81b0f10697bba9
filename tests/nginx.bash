# Copies of nginx. Each has a directory of its name in the test's directory.

# nginx_copy NAME LISTEN...: writes its configuration. It answers with its name and the pid of the answering process.
nginx_copy() {
    local name=$1 module listen
    shift
    mkdir -p "$name"
    {
        echo "daemon off; worker_processes 2; pid nginx.pid; error_log error.log notice;"
        echo "events { worker_connections 128; }"
        echo "http {"
        for module in client_body proxy fastcgi uwsgi scgi; do
            echo "    ${module}_temp_path ${module};"
        done
        echo "    access_log off; keepalive_timeout 0;"
        echo "    server {"
        for listen; do
            echo "        listen $listen;"
        done
        printf "        location / { return 200 \"%s \$pid\\\\n\"; }\n" "$name"
        echo "    }"
        echo "}"
    } >"$name/nginx.conf"
}

# nginx_command NAME: puts the command of a copy into $nginx.
nginx_command() {
    nginx=(/usr/sbin/nginx -p "$PWD/$1/" -c nginx.conf -e error.log)
}

nginx_start() {
    nginx_command "$1"
    start "$1" portshim run -p 8080 -m "$1.json" -- "${nginx[@]}"
}

# nginx_start_in RUN NAME: starts a copy in an existing run.
nginx_start_in() {
    nginx_command "$2"
    start "$2" portshim run -j "$1" -- "${nginx[@]}"
}

# answers NAME URL: whether that copy answers.
answers() {
    [[ $(ask "$2") == "$1" ]]
}

# ask URL: prints the name of the copy that answers.
ask() {
    local answer
    answer=$(curl -sS --max-time 60 "$1")
    printf '%s\n' "${answer% *}"
}

# has_workers MASTER COUNT: whether that master process has so many workers.
has_workers() {
    (($(pgrep -c -P "$1" -f 'worker process') == $2))
}
