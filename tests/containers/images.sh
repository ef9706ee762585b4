# shellcheck shell=bash

test_images_are_small_and_hold_the_program_and_nothing_else() {
    local image container
    # What the engine itself puts into each container.
    local engine='\.dockerenv|(dev|etc|proc|sys)(/.*)?'
    for image in server client; do
        [ "$(docker image inspect -f '{{.Size}}' "$image:latest")" -lt 5000000 ] || fail "$image has 5 MB or more"
        container=$(docker create --label lottery-test "$image:latest")
        docker export "$container" | tar -t | grep -Exv "$engine" >"$image.files"
    done
    expect_equal "$(<client.files)" "client" "files of the client"
    expect_equal "$(sort server.files | paste -s -d ' ')" "server storage/" "files of the server"
}

test_images_run_without_root_and_answer_help_and_version_without_a_configuration() {
    local image
    for image in server client; do
        expect_contains "$(docker image inspect -f '[{{.Config.User}}]' "$image:latest")" "[65532:" "user of $image"
        docker run --rm --label lottery-test "$image:latest" --help
        docker run --rm --label lottery-test "$image:latest" --version
    done
}
