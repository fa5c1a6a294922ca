"""A small Flask application that answers in JSON: users, and what they are called."""

from flask import Flask, jsonify, request

app = Flask(__name__)

USERS = {number: {"id": number, "name": f"user{number}", "tags": ["a", "b"]} for number in range(50)}
PAGE = 5


def find(number):
    return USERS.get(number)


def label(user):
    return user["name"].upper()


def decorate(user):
    return {**user, "label": label(user)}


@app.get("/users/<int:number>")
def user(number):
    found = find(number)
    if found is None:
        return jsonify(error="no such user"), 404
    return jsonify(decorate(found))


@app.get("/users")
def users():
    start = PAGE * request.args.get("page", 0, int)
    chosen = list(USERS.values())[start : start + PAGE]
    return jsonify([decorate(user) for user in chosen])
